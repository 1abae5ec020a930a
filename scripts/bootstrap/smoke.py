"""Imports what an engine's training scripts import and prints its Python and torch versions."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from pathlib import Path

KOHYA_SCRIPTS = ("train_network", "sdxl_train_network", "flux_train_network")
KOHYA_OPTIONAL = ("lycoris.kohya",)


def kohya() -> None:
    """The training scripts themselves: each guards its start with ``__main__``."""
    for name in KOHYA_SCRIPTS:
        if Path(f"{name}.py").is_file():
            importlib.import_module(name)
    for name in KOHYA_OPTIONAL:
        importlib.import_module(name)


def ai_toolkit() -> None:
    """What run.py imports, every process it offers and every model family."""
    importlib.import_module("toolkit.job")
    importlib.import_module("toolkit.accelerator")
    importlib.import_module("toolkit.extension").get_all_extensions_process_dict()
    importlib.import_module("toolkit.util.get_model").get_all_models()


def main() -> int:
    """Exit 0 after one line on stdout; an import that fails ends with its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("ai-toolkit", "kohya_ss"))
    engine = parser.parse_args().engine
    # Run by path, the engine's folder is not searched; as its own scripts do, look there first.
    sys.path.insert(0, str(Path.cwd()))
    torch = importlib.import_module("torch")
    if engine == "ai-toolkit":
        ai_toolkit()
    else:
        kohya()
    cuda = "cuda" if torch.cuda.is_available() else "no cuda"
    print(f"python {platform.python_version()} torch {torch.__version__} ({cuda})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

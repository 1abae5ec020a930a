"""A stand-in for NVIDIA's library, made from ``nvml_double.c``; needs a C compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")


def build(folder: Path) -> dict[str, str]:
    """Make it in a new ``folder``; the settings by which a program finds it."""
    assert COMPILER is not None, "ask for COMPILER first"
    folder.mkdir()
    library = folder / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml_double.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_LIBRARY_PATH": str(folder)}

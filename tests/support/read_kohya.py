"""Runs inside sd-scripts' own interpreter: what its parser and its dataset reader make of our files.

    cd SD_SCRIPTS && PYTHON read_kohya.py FOLDER...

Each folder holds script.txt, config.toml and dataset.toml; one JSON line a folder is printed.
Uses the engine's own ``setup_parser``, ``read_config_from_file`` and ``ConfigSanitizer``.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(folders: list[str]) -> None:
    sys.path.insert(0, ".")
    from library import config_util, train_util

    sanitizer = config_util.ConfigSanitizer(True, True, False, True)
    for folder in map(Path, folders):
        script = (folder / "script.txt").read_text().strip()
        parser = importlib.import_module(script).setup_parser()
        sys.argv = [f"{script}.py", "--config_file", str(folder / "config.toml")]
        arguments = train_util.read_config_from_file(parser.parse_args(), parser)
        pictures = sanitizer.sanitize_user_config(
            config_util.load_user_config(str(folder / "dataset.toml"))
        )
        print("READ " + json.dumps({"config": vars(arguments), "dataset": pictures}, default=str))


if __name__ == "__main__":
    main(sys.argv[1:])

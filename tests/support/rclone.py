#!/usr/bin/env python3
"""A stand-in for rclone: remotes are folders below $RCLONE_FAKE_ROOT. Installed under its name by tests.

$RCLONE_FAKE_FAIL is a file with a number: so many calls of copyto end with code 5 (a cut line).
$RCLONE_FAKE_ENDS="cat 5" has calls of cat end with code 5.
$RCLONE_FAKE_HASHES=none keeps no hashes. Where it would wait for somebody to type it ends with code 9.
Each call is written to $RCLONE_FAKE_ROOT/calls.
"""

import json
import os
import select
import sys
from pathlib import Path


def main() -> int:
    root = Path(os.environ["RCLONE_FAKE_ROOT"])
    with (root / "calls").open("a") as calls:
        calls.write(json.dumps({"argv": sys.argv, "env": sorted(os.environ)}) + "\n")
    if not select.select([sys.stdin], [], [], 0.2)[0]:
        return 9
    arguments = sys.argv[1:]
    if arguments[0] == "--config":
        arguments = arguments[2:]
    fails, _, code = os.environ.get("RCLONE_FAKE_ENDS", "").partition(" ")
    verb, rest = arguments[0], arguments[arguments.index("--") + 1 :]

    def place(name: str) -> Path:
        return root / name.replace(":", "/")

    if verb == fails:
        return int(code)
    if verb == "mkdir":
        place(rest[0]).mkdir(parents=True, exist_ok=True)
    elif verb == "copyto":
        fail = Path(os.environ.get("RCLONE_FAKE_FAIL", "/nonexistent"))
        if fail.exists() and (left := int(fail.read_text())):
            fail.write_text(str(left - 1))
            return 5
        place(rest[1]).parent.mkdir(parents=True, exist_ok=True)
        place(rest[1]).write_bytes(Path(rest[0]).read_bytes())
    elif verb == "cat":
        sys.stdout.buffer.write(place(rest[0]).read_bytes())
    elif verb == "lsjson":
        base = place(rest[0])
        entries = [
            {"Path": p.relative_to(base).as_posix(), "Size": p.stat().st_size, **hashes(p)}
            for p in base.rglob("*") if p.is_file()
        ]  # fmt: skip
        print(json.dumps(entries))
    return 0


def hashes(path: Path) -> dict[str, dict[str, str]]:
    if os.environ.get("RCLONE_FAKE_HASHES") == "none":
        return {}
    import hashlib

    return {"Hashes": {"md5": hashlib.md5(path.read_bytes()).hexdigest()}}


sys.exit(main())

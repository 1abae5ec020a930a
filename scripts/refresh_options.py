"""Writes the shipped option lists again from checkouts: ``refresh_options.sh`` calls this."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from app.jobs import engine_options
from app.jobs.installations import commit_of

ROOT = Path(__file__).resolve().parents[1]
TOOLKIT = ROOT / "engines" / "ai_toolkit" / "options.json"
CHECKOUT = ROOT / "engines" / "kohya_ss" / "checkout.json"
SCRIPTS = ROOT / "engines" / "kohya_ss" / "options"


def toolkit_text(home: Path, old: dict[str, Any]) -> str:
    """options.json, one class a line. Sections and free dictionaries are ours and stay."""
    data = engine_options.read("ai-toolkit", home).data
    head = {key: old[key] for key in ("engine", "version")}
    head["commit"] = commit_of(home) or old["commit"]
    lines = [
        "{",
        ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()) + ",",
        f'"sections": {json.dumps(old["sections"])},',
        f'"free_form": {json.dumps(old["free_form"])},',
        f'"archs": {json.dumps(data["archs"])},',
        '"classes": {',
        ",\n".join(
            f" {json.dumps(name)}: {json.dumps(keys)}" for name, keys in data["classes"].items()
        ),
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def script_text(script: str, options: dict[str, Any], old: dict[str, Any], commit: str) -> str:
    """One script's list, one option a line."""
    head = f'"engine": "kohya-ss/sd-scripts", "version": {json.dumps(old.get("version", ""))}, "commit": "{commit}",'
    rows = [f" {json.dumps(name)}: {json.dumps(options[name])}" for name in sorted(options)]
    return (
        "{\n"
        + head
        + f'\n"script": "{script}.py",\n"options": {{\n'
        + ",\n".join(rows)
        + "\n}\n}\n"
    )


def main(toolkit: Path, scripts: Path) -> None:
    """Write both engines' lists and say what changed."""
    _write(TOOLKIT, toolkit_text(toolkit, json.loads(TOOLKIT.read_text("utf-8"))))
    commit, read = commit_of(scripts), engine_options.read("kohya_ss", scripts)
    rest = {"modules": read.modules, "dataset_keys": read.dataset_keys}
    _write(CHECKOUT, json.dumps(rest, indent=1) + "\n")
    for script, options in read.data.items():
        path = SCRIPTS / f"{script}.json"
        if not path.exists():
            print(f"{script}.py has no list here; if it trains a LoRA, make {path.name}")
            continue
        old = json.loads(path.read_text("utf-8"))
        _write(path, script_text(script, options, old, commit or old["commit"]))


def _write(path: Path, text: str) -> None:
    changed = not path.exists() or path.read_text("utf-8") != text
    path.write_text(text, "utf-8")
    print(f"{path.relative_to(ROOT)}: {'changed' if changed else 'as it was'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

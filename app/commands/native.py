"""render, export and import: between our spec and the engines' own files. No database, no engine needed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from app.commands import Subparsers, add_card, add_command, add_spec
from app.commands.jobs import read_spec
from engines.registry import ENGINE_NAMES


def add_to(commands: Subparsers) -> None:
    """Add the parsers."""
    render = add_command(
        commands, "render", "write the engine's own files; print its command as JSON"
    )
    add_spec(render)
    render.add_argument("--engine", choices=ENGINE_NAMES, help="default: as the spec says")
    render.add_argument("--out", type=Path, required=True, help="the folder, made if missing")
    add_card(render)
    render.set_defaults(run=_render)
    exporting = add_command(
        commands,
        "export",
        "make a folder that trains a spec without this program: run.sh and the engine's own files",
    )
    add_spec(exporting)
    exporting.add_argument("--engine", choices=ENGINE_NAMES, help="default: as the spec says")
    exporting.add_argument("--out", type=Path, required=True, help="the folder, made if missing")
    exporting.set_defaults(run=_export)
    importing = add_command(
        commands, "import", "make a spec of an engine's own config; print what changed"
    )
    importing.add_argument(
        "file",
        type=Path,
        help="kohya_ss GUI .json, sd-scripts .toml, ai-toolkit .yaml or .json",
    )
    importing.add_argument("--out", type=Path, required=True, help="SPEC.yaml, the file to write")
    importing.set_defaults(run=_import)


def _render(arguments: argparse.Namespace) -> int:
    from app.jobs import rendering
    from app.settings import Settings

    document = read_spec(arguments.spec)
    if arguments.engine:
        document["engine"] = arguments.engine
    rendered = rendering.render(
        document, arguments.out.absolute(), Settings.from_env(os.environ), card_gb=arguments.card
    )
    for warning in rendered.warnings:
        print(f"vast-lora: {warning}", file=sys.stderr)
    print(json.dumps({"argv": rendered.argv, "cwd": rendered.cwd, "env": rendered.env}, indent=1))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from app.jobs import exporting
    from app.jobs.engine_options import OptionLibrary
    from app.settings import Settings

    settings = Settings.from_env(os.environ)
    library = OptionLibrary(settings)
    library.patient = True
    made = exporting.export(read_spec(arguments.spec), arguments.engine, settings, library)
    script = exporting.written(made, arguments.out)
    for note in made.notes:
        print(f"vast-lora: {note}", file=sys.stderr)
    for field, path in made.needs:
        print(f"needs {field}: {path}")
    print(script)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    import yaml

    from app.errors import UserError
    from app.jobs import importing

    try:
        text = arguments.file.read_text("utf-8")
        companions = importing.companions_of(text, arguments.file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{arguments.file} cannot be read: {error}.") from error
    imported = importing.read(text, arguments.file, companions)
    for line in imported.lines:
        print(line)
    for name, sentence in imported.gaps.items():
        print(f"vast-lora: {name}: {sentence}", file=sys.stderr)
    arguments.out.write_text(
        yaml.safe_dump(imported.document, sort_keys=False, allow_unicode=True), "utf-8"
    )
    return 0

"""The commands of ``vast-lora``, one module per theme; each adds its parsers in ``add_to``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

Subparsers = Any
"""argparse's own class for this is private."""


def add_command(commands: Subparsers, name: str, text: str) -> argparse.ArgumentParser:
    """The parser of one command. ``text`` is its line in the list and the head of its own help."""
    sentence = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=sentence)
    return parser


def add_spec(parser: argparse.ArgumentParser) -> None:
    """The spec that a command works on."""
    parser.add_argument("spec", type=Path, help="SPEC.yaml, or - for standard input")


def add_card(parser: argparse.ArgumentParser) -> None:
    """The choice of a memory preset, for a command that fills in defaults."""
    parser.add_argument(
        "--card", type=float, metavar="GB", help="defaults for a card of so much memory"
    )


@contextmanager
def application() -> Iterator[Flask]:
    """The application with its context pushed and the database at its current schema."""
    from app import create_app, schema
    from app.platform import current
    from app.settings import Settings

    settings = Settings.from_env(os.environ)
    schema.migrate(settings)
    app = create_app(settings)
    with app.app_context():
        current().options.patient = True
        yield app

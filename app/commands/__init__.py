"""The commands of ``vast-lora``, one module per theme; each adds its parsers in ``add_to``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

Subparsers = Any
"""argparse's own class for this is private."""


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

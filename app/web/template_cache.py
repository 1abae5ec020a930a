"""Compiled templates, kept beside their sources as Python keeps its modules: most starts find them ready.

To compile one takes some 8 ms, and the first page after a start needs ten.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import jinja2
from flask import Flask
from jinja2.bccache import Bucket

from app.settings import ROOT

FOLDER = ROOT / "templates" / "__pycache__"


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """A file per template. What changed, or was written by another Jinja or Python, is compiled anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), f"%s.jinja-{jinja2.__version__}.cache")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take it from its file, if that can be read."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, where that is possible: a full disk or somebody else's folder costs the time only."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


def install(app: Flask) -> None:
    """Templates of this application are kept. They all are compiled with the same options."""
    app.jinja_env.bytecode_cache = TemplateCache(FOLDER)


def fill(app: Flask) -> None:
    """Compile all that pages are made of, as for an image whose folders nobody may write later."""
    sys.dont_write_bytecode = False  # who asks for it wants it written
    names = app.jinja_env.list_templates(filter_func=lambda name: "/" in name)
    for name in names:
        if name.endswith(".html"):
            app.jinja_env.get_template(name)

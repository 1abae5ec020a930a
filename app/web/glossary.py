"""The words of the trade, explained once; fields of the form link to their word."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

bp = Blueprint("glossary", __name__)


class Term(NamedTuple):
    """``key`` is its anchor; ``fields`` are paths of the form that link here."""

    key: str
    word: str
    text: str
    fields: tuple[str, ...] = ()


@cache
def terms() -> tuple[Term, ...]:
    """All of them, in the order of ``glossary.json``."""
    found = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return tuple(Term(**{**item, "fields": tuple(item["fields"])}) for item in found)


@cache
def _of_fields() -> dict[str, Term]:
    return {path: term for term in terms() for path in term.fields}


def term_of(path: str) -> Term | None:
    """The word that explains a field, by the field's path in the table."""
    return _of_fields().get(path)


@bp.get("/glossary")
def index() -> ResponseReturnValue:
    return render_template(
        "pages/glossary.html", terms=sorted(terms(), key=lambda t: t.word.lower())
    )

"""The document for programs, and the same for people at /api."""

from __future__ import annotations

from itertools import groupby

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.platform import current
from app.web.api import document
from app.web.api.registry import bp as api
from app.web.api.registry import in_order

bp = Blueprint("api_reference", __name__)


@api.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    return jsonify(document.document())


@bp.get("/api")
def index() -> ResponseReturnValue:
    groups = [
        (tag, list(operations)) for tag, operations in groupby(in_order(), key=lambda op: op.tag)
    ]
    return render_template(
        "pages/api.html",
        groups=groups,
        fields_of=document.fields_of,
        query_of=document.query_parameters,
        kind_of=document.kind_of,
        here=f"http://127.0.0.1:{current().settings.port}",
    )

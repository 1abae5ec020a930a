"""The Engines page: what is installed, and how to get the rest."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.jobs import service
from app.platform import current

bp = Blueprint("engines", __name__)


@bp.get("/engines")
def index() -> ResponseReturnValue:
    return render_template(
        "pages/engines.html", engines=service.engines(), settings=current().settings
    )

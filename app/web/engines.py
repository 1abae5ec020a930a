"""The Engines page: what is installed, and how to get the rest."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.jobs import doctor, installations, service
from app.platform import current

bp = Blueprint("engines", __name__)


@bp.get("/engines")
def index() -> ResponseReturnValue:
    library = current().options
    shown = [
        (found, installations.commit_of(found.home), library.now(found))
        for found in service.engines()
    ]
    return render_template("pages/engines.html", engines=shown, differences=doctor.differences)

"""The Access page: named tokens, made, listed and revoked."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app import access, tokens
from app.errors import NotFoundError
from app.jobs import service, store
from app.platform import current
from app.vast import tunnels

bp = Blueprint("access", __name__, url_prefix="/access")

LONGEST_NAME = 60
_JOBS_OFFERED = 100


@bp.get("")
def index() -> ResponseReturnValue:
    job = request.args.get("job", type=int)
    return _page({"scope": "read", "job": str(job or "")}, {})


def _page(
    form: Mapping[str, str], errors: Mapping[str, str], made: tuple[str, str] | None = None
) -> ResponseReturnValue:
    jobs = service.page(limit=_JOBS_OFFERED).jobs
    names = {job.id: job.name for job in jobs}
    page = render_template(
        "pages/access.html",
        tokens=tokens.every(),
        jobs=jobs,
        names=names,
        form=form,
        errors=errors,
        made=made,
        public=current().settings.public_address,
        tunnel=tunnels.address(current().settings.tunnel_manager),
        guarded=bool(current().settings.needs_token or current().settings.auth_token),
    )
    return page, 422 if errors else 200


@bp.post("/tokens")
def make() -> ResponseReturnValue:
    """The answer is the page itself, not a redirect: the token is shown once and stored nowhere."""
    form = request.form
    name, scope, errors = form.get("name", "").strip(), form.get("scope", ""), {}
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        errors["name"] = f"Give a name of at most {LONGEST_NAME} characters: whom is it for?"
    if scope not in ("full", "read"):
        errors["scope"] = "Choose one of the two."
    job_id = form.get("job", type=int)
    if job_id is not None and scope == "full":
        errors["job"] = "A token for one job is always read-only."
    elif form.get("job", "").strip() and (job_id is None or not _exists(job_id)):
        errors["job"] = "There is no such job (any more)."
    if errors:
        return _page(form, errors)
    if access.token(current().settings) is None:
        access.make_token(current().settings)
    row, text = tokens.make(name, "read" if scope == "read" else "full", job_id)
    where = f"/jobs/{row.job_id}" if row.job_id is not None else "/"
    return _page({"scope": "read", "job": ""}, {}, (row.name, f"{where}?token={text}"))


def _exists(job_id: int) -> bool:
    try:
        store.get(job_id)
    except NotFoundError:
        return False
    return True


@bp.post("/tokens/<int:token_id>/revoke")
def revoke(token_id: int) -> ResponseReturnValue:
    tokens.revoke(token_id)
    return redirect("/access", 303)

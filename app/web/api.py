"""JSON at /api/v1, on the same services as the pages."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidSpecError
from app.jobs import service

bp = Blueprint("api", __name__, url_prefix="/api/v1")


@bp.get("/jobs")
def jobs() -> ResponseReturnValue:
    limit = max(1, min(500, request.args.get("limit", 50, type=int)))
    page = service.page(
        state=request.args.get("state"),
        search=request.args.get("q", ""),
        limit=limit,
        before=request.args.get("before", type=int),
    )
    return jsonify({"jobs": [service.as_json(job) for job in page.jobs], "next": page.next})


@bp.post("/jobs")
def submit() -> ResponseReturnValue:
    document = request.get_json(silent=True)
    if not isinstance(document, dict):
        raise InvalidSpecError({"": "Send the spec as a JSON object."})
    job = service.submit(document, hold=request.args.get("hold") == "1")
    return jsonify(service.as_json(job)), 201


@bp.get("/jobs/<int:job_id>")
def job(job_id: int) -> ResponseReturnValue:
    found = service.get(job_id)
    return jsonify({**service.as_json(found), "spec": service.clone(found)})


@bp.post("/jobs/<int:job_id>/stop")
def stop(job_id: int) -> ResponseReturnValue:
    found = service.get(job_id)
    service.stop(found, save=request.args.get("save") == "1")
    return jsonify(service.as_json(service.get(job_id)))


@bp.post("/jobs/<int:job_id>/retry")
def retry(job_id: int) -> ResponseReturnValue:
    service.retry(service.get(job_id), resume=request.args.get("fresh") != "1")
    return jsonify(service.as_json(service.get(job_id)))


@bp.delete("/jobs/<int:job_id>")
def delete(job_id: int) -> ResponseReturnValue:
    service.delete(service.get(job_id))
    return "", 204

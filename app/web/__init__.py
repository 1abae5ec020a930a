"""The web face: pages, fragments and the API, one module of routes per noun."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.platform import EXTENSION, Platform


def register(app: Flask) -> None:
    """Add everything that answers requests."""
    from app.web import (
        api,
        auth,
        compress,
        dataset,
        dataset_edits,
        dataset_files,
        dataset_health,
        datasets,
        engines,
        errors,
        exchange,
        files,
        filters,
        guard,
        health,
        jobs,
        new_job,
        statics,
        system,
        tasks,
        uploads,
    )

    platform: Platform = app.extensions[EXTENSION]
    if platform.settings.trust_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    guard.install(app)
    for module in (auth, jobs, new_job, exchange, files, engines, system, tasks, health, api):
        app.register_blueprint(module.bp)
    for module in (datasets, dataset, dataset_edits, dataset_health, dataset_files, uploads):
        app.register_blueprint(module.bp)
    errors.install(app)
    filters.install(app)
    statics.install(app)
    compress.install(app)

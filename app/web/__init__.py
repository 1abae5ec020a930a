"""The web face: pages, fragments and the API, one module of routes per noun."""

from __future__ import annotations

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.platform import EXTENSION, Platform


def register(app: Flask) -> None:
    """Add everything that answers requests."""
    from app.web import compress, errors, filters, guard, statics

    platform: Platform = app.extensions[EXTENSION]
    if platform.settings.trust_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    guard.install(app)
    for blueprint in _blueprints():
        app.register_blueprint(blueprint)
    errors.install(app)
    filters.install(app)
    statics.install(app)
    compress.install(app)


def _blueprints() -> list[Blueprint]:
    """The routes, a module for each noun."""
    from app.web import (
        api,
        auth,
        dataset,
        dataset_edits,
        dataset_files,
        dataset_health,
        datasets,
        engines,
        exchange,
        files,
        health,
        jobs,
        models,
        new_job,
        system,
        tasks,
        uploads,
    )

    modules = (auth, jobs, new_job, models, exchange, files, engines, system, tasks, health, api)
    of_datasets = (datasets, dataset, dataset_edits, dataset_health, dataset_files, uploads)
    return [module.bp for module in (*modules, *of_datasets)]

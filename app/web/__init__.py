"""The web face: pages, fragments and the API, one module of routes per noun."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from app.platform import EXTENSION, Platform


class _Number(IntegerConverter):
    def __init__(self, map: Map, **more: Any) -> None:
        super().__init__(map, **{"max": 2**63 - 1, **more})


def register(app: Flask) -> None:
    """Add everything that answers requests."""
    from app.web import compress, errors, filters, guard, statics

    platform: Platform = app.extensions[EXTENSION]
    if platform.settings.trust_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    guard.install(app)
    # A number that no database holds names nothing, so that its address is unknown.
    app.url_map.converters["int"] = _Number
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
        deliveries,
        engines,
        exchange,
        files,
        health,
        jobs,
        models,
        new_job,
        prometheus,
        settings_page,
        system,
        tasks,
    )

    modules = (
        auth, jobs, new_job, models, exchange, files, engines, system, tasks, health, api,
        deliveries, settings_page, prometheus,
    )  # fmt: skip
    return [*(module.bp for module in modules), api.reference.pages]

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
        engines,
        errors,
        exchange,
        files,
        filters,
        guard,
        health,
        jobs,
        meter,
        new_job,
        selfcheck,
        sharing,
        statics,
        system,
        tasks,
    )

    platform: Platform = app.extensions[EXTENSION]
    if platform.settings.trust_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    guard.install(app)
    for module in (
        auth,
        jobs,
        new_job,
        exchange,
        files,
        engines,
        meter,
        selfcheck,
        sharing,
        system,
        tasks,
        health,
        api,
    ):
        app.register_blueprint(module.bp)
    errors.install(app)
    filters.install(app)
    statics.install(app)
    meter.install(app)
    compress.install(app)

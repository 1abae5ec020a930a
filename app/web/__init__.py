"""The web face: pages, fragments and the API, one module of routes per noun."""

from __future__ import annotations

from importlib import import_module

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.platform import EXTENSION, Platform

NOUNS = (
    "auth", "jobs", "samples", "logs", "checkpoints", "new_job", "datasets", "dataset",
    "dataset_edits", "dataset_health", "dataset_files", "uploads", "models", "exchange", "files",
    "curves", "compare", "machine", "machines", "meter", "selfcheck", "access", "engines", "settings_page",
    "system", "deliveries", "tasks", "first_steps", "glossary", "health", "prometheus", "api", "api.reference",
)  # fmt: skip
"""The modules that hold routes, each as ``bp``."""


def register(app: Flask) -> None:
    """Add everything that answers requests."""
    from app.web import (
        compress,
        errors,
        filters,
        guard,
        homes,
        machines,
        meter,
        routing,
        statics,
        styles,
        template_cache,
        turns,
    )

    platform: Platform = app.extensions[EXTENSION]
    if platform.settings.trust_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    turns.install(app)
    guard.install(app)
    app.url_map.converters["int"] = routing.Number
    app.url_rule_class = routing.LazyRule
    for noun in NOUNS:
        app.register_blueprint(import_module(f"app.web.{noun}").bp)
    errors.install(app)
    homes.install(app)
    filters.install(app)
    statics.install(app)
    styles.install(app)
    template_cache.install(app)
    meter.install(app)
    machines.install(app)
    compress.install(app)

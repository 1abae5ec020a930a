"""The dashboard: a Flask application that queues, runs and shows LoRA trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from app.settings import Settings


def create_app(settings: Settings) -> Flask:
    """Build the application. Starts no thread, opens no file, makes no folder."""
    from app import delivery, notify, web
    from app.db import db
    from app.machine import cache
    from app.platform import EXTENSION, Platform
    from app.settings import ROOT

    app = Flask(
        "app",
        root_path=str(ROOT / "app"),
        template_folder="../templates",
        static_folder="../static",
    )
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SECRET_KEY=None,
        MAX_CONTENT_LENGTH=64 * 1024 * 1024,
    )
    db.init_app(app)
    platform = Platform(app, settings)
    platform.watchers = [notify.Watcher(), delivery.Watcher(), cache.Watcher()]
    platform.undelivered = delivery.undelivered
    app.extensions[EXTENSION] = platform
    web.register(app)
    return app

"""The dashboard: a Flask application that queues, runs and shows LoRA trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings


def create_app(settings: Settings) -> Flask:
    """Build the application. Starts no thread, opens no file, makes no folder."""
    # Imported here: many a child imports something of this package and makes no application.
    from flask import Flask

    from app import delivery, notify, web
    from app.db import db
    from app.jobs import curve_building, deleting
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
    platform.watchers = [
        notify.Watcher(), delivery.Watcher(), curve_building.Watcher(), cache.Watcher(),
        deleting.Watcher(),
    ]  # fmt: skip
    platform.undelivered = delivery.undelivered
    app.extensions[EXTENSION] = platform
    web.register(app)
    return app

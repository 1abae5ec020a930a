"""Many rows at once, with no files behind them."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import insert

from app.db import db
from app.models import Job


def add_jobs(app: Flask, count: int) -> None:
    """So many jobs that are over, or wait and are held."""
    rows = [{
        "name": f"job {n}", "family": "sdxl", "engine": "ai-toolkit", "document": "{}",
        "state": ("succeeded", "failed", "cancelled", "queued")[n % 4], "created": float(n),
        "held": True, "total_steps": 100, "step": n % 100,
    } for n in range(count)]  # fmt: skip
    with app.app_context():
        db.session.execute(insert(Job), rows)
        db.session.commit()
        db.engine.dispose()

"""ai-toolkit's control table begins each start with no order in it."""

from __future__ import annotations

import contextlib
import sqlite3

from app.jobs.control import create_control
from engines.ai_toolkit import control


def row_of(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT step, status FROM Job").fetchone()


def test_a_control_table_begins_with_every_order_cleared(tmp_path):
    path = tmp_path / "sub" / "control.db"
    create_control(control.table(path, "7", 40))
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE Job SET stop = 1, save_now = 1, status = 'running', info = 'Training'")
    create_control(control.table(path, "7", 80))
    with contextlib.closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT stop, save_now, return_to_queue, sample_now FROM Job").fetchone()
    assert row == (0, 0, 0, 0)
    assert row_of(path) == (80, "queued")


def test_a_spoilt_control_file_is_made_anew(tmp_path):
    path = tmp_path / "control.db"
    path.write_bytes(b"spoilt" * 1000)
    path.with_name("control.db-wal").write_bytes(b"spoilt")
    create_control(control.table(path, "7", 0))
    assert row_of(path) == (0, "queued")

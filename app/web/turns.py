"""Pages take turns: two are drawn at a time, and the next ones wait a moment.

Threads that all want the interpreter hand it to and fro at each statement of the database, so that
eight pages at once would cost a third more than the same eight one after another. Who waited for
``PATIENCE`` goes on all the same: a page that hangs, on a slow disk say, keeps nobody out.
"""

from __future__ import annotations

import threading

from flask import Flask, g, request

AT_ONCE = 2
PATIENCE = 0.05
"""Seconds."""
_FREE = ("static", "bundle", "health.", "files.", "dataset_files.", "samples.small")
"""Endpoints that need no turn: they send a file, or draw a small picture beside the interpreter."""


def install(app: Flask) -> None:
    """Ask for a turn before anything else is done for a request, and give it back after all of it."""
    turns = threading.BoundedSemaphore(AT_ONCE)

    def take() -> None:
        if request.method == "GET" and not (request.endpoint or "").startswith(_FREE):
            g.has_turn = turns.acquire(timeout=PATIENCE)

    def give(_error: BaseException | None) -> None:
        if g.pop("has_turn", False):
            turns.release()

    app.before_request(take)
    app.teardown_request(give)

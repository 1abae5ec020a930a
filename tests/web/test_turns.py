"""Pages that take turns."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from app.web import turns
from tests.support.wait import until


@pytest.fixture
def app():
    """A page that says how many are drawn at once, and waits for the others where it is asked to."""
    app = Flask("toy")
    turns.install(app)
    app.seen, app.now, app.lock, app.go = [], 0, threading.Lock(), threading.Event()

    @app.get("/")
    def page():
        with app.lock:
            app.now += 1
            app.seen.append(app.now)
        app.go.wait(10)
        with app.lock:
            app.now -= 1
        return ""

    @app.get("/error")
    def error():
        raise ZeroDivisionError

    @app.get("/quick", endpoint="health.quick")
    def quick():
        return "quick"

    return app


def ask(app, path="/"):
    thread = threading.Thread(target=lambda: app.test_client().get(path))
    thread.start()
    return thread


def test_two_pages_are_drawn_while_others_wait(app, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 10)
    threads = [ask(app) for _ in range(5)]
    until(lambda: len(app.seen) == 2, what="2 are drawn")
    app.go.set()
    for thread in threads:
        thread.join(10)
    assert max(app.seen) == 2
    assert len(app.seen) == 5


def test_a_page_that_hangs_keeps_nobody_out(app, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    threads = [ask(app) for _ in range(4)]
    until(lambda: len(app.seen) == 4, what="4 are drawn")
    assert max(app.seen) == 4
    app.go.set()
    for thread in threads:
        thread.join(10)


def test_what_only_sends_a_file_needs_no_turn(app, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 10)
    threads = [ask(app) for _ in range(2)]
    until(lambda: len(app.seen) == 2, what="2 are drawn")
    assert app.test_client().get("/quick").text == "quick"
    app.go.set()
    for thread in threads:
        thread.join(10)


def test_an_error_gives_its_turn_back(app, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 10)
    app.go.set()
    for _ in range(turns.AT_ONCE + 1):
        assert app.test_client().get("/error").status_code == 500
    assert app.test_client().get("/").status_code == 200

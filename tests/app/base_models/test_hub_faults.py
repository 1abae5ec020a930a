"""Whatever the Hub answers, there is an answer, a sentence, and no thread that hangs on."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.base_models import HubChecker, hub
from tests.support.wait import until

LISTING = b'{"siblings": [{"rfilename": "a b.safetensors"}]}'


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def server(answers):
    """Answers by the path: (status, body, headers); what was asked comes along."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path, self.headers.get("Authorization")))
            status, body, headers = answers.get(self.path, (404, b"", {}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            """Say nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}", asked
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def refusing(code, text="", status=401):
    return {
        "/api/models/a/b": (200, LISTING, {}),
        "/a/b/resolve/main/a%20b.safetensors": (
            status, b"", {"X-Error-Code": code, "X-Error-Message": text},
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "text", "status", "token", "words"),
    [
        ("GatedRepo", "", 401, None, "is gated, and no HF_TOKEN is set"),
        ("GatedRepo", "", 403, "hf_x", "is gated, and this HF_TOKEN may not read it"),
        ("RepoNotFound", "", 401, None, "There is no model a/b on the Hub (or it is private"),
        ("", "Invalid credentials in Authorization header", 401, "hf_x", "does not know this"),
        ("EntryNotFound", "", 404, None, "holds no file to train from"),
        ("", "", 429, None, "answered 429"),
    ],
)
def test_each_refusal_has_its_own_sentence(tmp_path, code, text, status, token, words):
    with server(refusing(code, text, status)) as (address, _):
        answer = HubChecker(address, token, tmp_path).wait("a/b", 10)
    assert not answer.ok
    assert words in answer.sentence
    assert "hf_x" not in answer.sentence


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"[]", {}),
        (200, b"<html>", {}),
        (200, b"\xff\xfe", {}),
        (200, b"{}", {"Content-Length": "500"}),
        (200, b'{"siblings": [7, null]}', {}),
        (302, b"", {"Location": "/api/models/a/b"}),
        (302, b"", {}),
        (503, b"", {}),
    ],
)
def test_nonsense_is_an_uncertain_no_and_is_asked_again(tmp_path, answer):
    with server({"/api/models/a/b": answer}) as (address, asked):
        checker = HubChecker(address, None, tmp_path)
        found = checker.wait("a/b", 20)
        assert found is not None
        assert not found.ok
        assert found.sentence.endswith((".", "owner/name."))
        assert asked
        until(lambda: not checker._asking, what="no question is under way")


def test_a_hub_that_hangs_up_is_unreachable(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def hang_up():
            # As many times as it is asked; the listener is closed when the test ends.
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.recv(100)
                    connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        checker = HubChecker(f"http://127.0.0.1:{listener.getsockname()[1]}", None, tmp_path)
        answer = checker.wait("a/b", 10)
    assert answer is not None
    assert "could not be reached" in answer.sentence


def test_a_hub_that_is_silent_keeps_nobody_waiting_longer_than_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        checker = HubChecker(f"http://127.0.0.1:{listener.getsockname()[1]}", None, tmp_path)
        assert checker.ask("a/b") is None
        assert checker.wait("a/b", 0.01) is None
        answer = until(lambda: checker.ask("a/b"), what="the question timed out")
    assert (answer.ok, answer.certain) == (False, False)


def test_a_renamed_model_is_followed_and_the_weights_are_not(tmp_path):
    answers = {
        "/api/models/a/b": (307, b"", {"Location": "/api/models/c/d"}),
        "/api/models/c/d": (200, LISTING, {}),
        "/a/b/resolve/main/a%20b.safetensors": (
            307, b"", {"Location": "/c/d/resolve/main/a%20b.safetensors"},
        ),
        "/c/d/resolve/main/a%20b.safetensors": (
            302, b"", {"Location": "http://127.0.0.1:9/storage"},
        ),
    }  # fmt: skip
    with server(answers) as (address, asked):
        assert HubChecker(address, None, tmp_path).wait("a/b", 10).ok
    assert [method for method, path, _ in asked if "resolve" in path] == ["HEAD", "HEAD"]


def test_a_named_file_is_the_one_that_is_asked_for(tmp_path):
    answers = {"/a/b/resolve/main/sub/x.safetensors": (200, b"", {})}
    with server(answers) as (address, asked):
        checker = HubChecker(address, None, tmp_path)
        assert checker.wait("a/b", 10, "sub/x.safetensors").ok
        assert "no file y" in checker.wait("a/b", 10, "y").sentence
    assert [path for _, path, _ in asked] == [
        "/a/b/resolve/main/sub/x.safetensors", "/a/b/resolve/main/y",
    ]  # fmt: skip


def test_a_token_stored_by_logging_in_counts_as_it_does_in_the_trainer(tmp_path):
    (tmp_path / "token").write_text("hf_stored\n")
    answers = refusing("", status=200)
    with server(answers) as (address, asked):
        HubChecker(address, None, tmp_path).wait("a/b", 10)
        HubChecker(address, "hf_set", tmp_path).wait("a/b", 10)
    assert {token for _, _, token in asked} == {"Bearer hf_stored", "Bearer hf_set"}


def test_offline_is_said_and_nothing_is_asked(tmp_path):
    with server({}) as (address, asked):
        answer = HubChecker(address, None, tmp_path, offline=True).wait("a/b", 10)
    assert "HF_HUB_OFFLINE" in answer.sentence
    assert asked == []


def test_a_refusal_is_asked_again_after_a_minute_for_a_licence_may_be_accepted(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(hub, "KEEP_REFUSED_SECONDS", 0.0)
    answers = refusing("GatedRepo")
    with server(answers) as (address, _):
        checker = HubChecker(address, None, tmp_path)
        assert not checker.wait("a/b", 10).ok
        answers["/a/b/resolve/main/a%20b.safetensors"] = (200, b"", {})
        assert checker.wait("a/b", 10).ok

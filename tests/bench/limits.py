"""Yardsticks: what this machine does at best, measured in the same sitting as what is compared with it.

A bare Flask under the same gunicorn (an empty answer, a Jinja table of 50 rows, ``send_file``, a body
written to a file), a raw socket to a file, a SQLite commit, the start of a Python.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.settings import ROOT
from tests.support.server import Server, free_port
from tests.support.wait import until

BLOCK = 1 << 20
_BARE = """
import os
from flask import Flask, request, send_file

class Nobody:
    # Our gunicorn.conf.py starts and stops a supervisor.
    start_supervisor = stop_supervisor = lambda self: None

app = Flask(__name__)
app.extensions["vast-lora"] = Nobody()
rows = [{"id": n, "name": f"job {n}", "state": "done"} for n in range(50)]
table = app.jinja_env.from_string(
    "<!doctype html><title>Jobs</title><table>{% for row in rows %}<tr><td>{{ row.id }}</td>"
    "<td>{{ row.name }}</td><td>{{ row.state }}</td></tr>{% endfor %}</table>"
)

@app.get("/healthz")
def health():
    return {"status": "ok"}

@app.get("/")
def hello():
    return "hello"

@app.get("/table")
def fifty():
    return table.render(rows=rows)

@app.get("/big")
def big():
    return send_file(os.environ["BARE_BIG"])

@app.put("/up")
def up():
    with open(os.environ["BARE_UP"], "wb", buffering=0) as out:
        while block := request.stream.read(65536):
            out.write(block)
    return {"ok": True}
"""


def seconds_of(call: Callable[[], object]) -> float:
    """Of this one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def median(call: Callable[[], object], times: int) -> float:
    """Seconds of the middle call, after one that does not count."""
    call()
    return statistics.median(seconds_of(call) for _ in range(times))


def in_turn(*calls: Callable[[], float], times: int = 3) -> list[float]:
    """The middle of the seconds that each call tells, after a first round that does not count.

    One after the other in each round, and nothing left to be written when one begins: the disk of
    a shared machine has slow minutes, and what one wrote would be written while the next is timed.
    """
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(times + 1):
        for call, seconds in zip(calls, spent, strict=True):
            os.sync()
            seconds.append(call())
    return [statistics.median(seconds[1:]) for seconds in spent]


class Bare(Server):
    """A bare Flask under the same gunicorn, set as ours is."""

    def __init__(self, folder: Path, big: Path) -> None:
        super().__init__(folder, {})
        (folder / "bare.py").write_text(_BARE)
        self._folder = folder
        self.env |= {"BARE_BIG": str(big), "BARE_UP": str(folder / "bare.out")}

    def start(self) -> None:
        settings = str(ROOT / "gunicorn.conf.py")
        command = [sys.executable, "-m", "gunicorn", "-c", settings, "bare:app"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self._folder, env=self.env,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self.is_up, 30, "the bare server answers")


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Started, and killed at the end."""
    server.start()
    try:
        yield server
    finally:
        server.kill()


def download(port: int, path: str) -> int:
    """Bytes that came, read as fast as they come."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        buffer, total = bytearray(1 << 18), 0
        while got := line.recv_into(buffer):
            total += got
    return total


def socket_to_file(size: int, target: Path) -> None:
    """As many bytes through a loopback socket into a file, and nothing else."""
    listening = socket.create_server(("127.0.0.1", free_port()))

    def take() -> None:
        line, _ = listening.accept()
        buffer = bytearray(BLOCK)
        with line, target.open("wb", buffering=0) as out:
            while got := line.recv_into(buffer):
                out.write(memoryview(buffer)[:got])

    taker = threading.Thread(target=take)
    taker.start()
    with socket.create_connection(listening.getsockname()) as line:
        block = os.urandom(BLOCK)
        for _ in range(size // BLOCK):
            line.sendall(block)
    taker.join()
    listening.close()


def spawn_python() -> None:
    """Start a Python that does nothing, and wait for it."""
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def commit_ms(folder: Path) -> float:
    """Milliseconds of one SQLite commit as our database is set: WAL."""
    with contextlib.closing(sqlite3.connect(folder / "commit.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
        database.execute("INSERT INTO t VALUES (1, 0)")

        def commit() -> None:
            database.execute("UPDATE t SET n = n + 1")
            database.commit()

        return 1000 * median(commit, 100)

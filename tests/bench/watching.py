"""Measures what watching a run costs: log, curves, the jobs table, one open page. Prints a table.

``scripts/bench.sh watching``. BENCH_POINTS and BENCH_JOBS make it smaller. TensorBoard's figures are
those measured beside it once (two cores): 1.7 s to the first data of 1,000,000 points, 53 ms a
request, 1,000 of the points at random.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import insert

from app.db import db
from app.jobs.series import Sample, Series
from app.models import Job
from tests.bench.queue import gunicorns, load, make, pss_mb
from tests.bench.table import Table
from tests.support.platform import close_all, make_app
from tests.support.server import Server

POINTS = int(os.environ.get("BENCH_POINTS", "1000000"))
JOBS = int(os.environ.get("BENCH_JOBS", "10000"))
LARGE = 5_000_000_000
TENSORBOARD_MS = 53.0
TENSORBOARD_FIRST_MS = 1700.0


class Line:
    """One kept connection, as a browser has it."""

    def __init__(self, server: Server) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def get(self, path: str) -> tuple[int, int, bytes]:
        """Status, bytes with headers, body."""
        answer = self._ask(path)
        body = answer.read()
        headers = sum(len(k) + len(v) + 4 for k, v in answer.getheaders()) + 17
        return answer.status, headers + len(body), body

    def _ask(self, path: str) -> http.client.HTTPResponse:
        headers = {"Accept-Encoding": "gzip", "HX-Request": "true"}
        try:
            self._line.request("GET", path, headers=headers)
            return self._line.getresponse()
        except http.client.RemoteDisconnected:
            # The server closes a connection that was silent for long.
            self._line.close()
            self._line.request("GET", path, headers=headers)
            return self._line.getresponse()

    def median(self, path: str, times: int = 31) -> float:
        """Milliseconds."""
        self.get(path)
        spent = []
        for _ in range(times):
            begin = time.perf_counter()
            self.get(path)
            spent.append(time.perf_counter() - begin)
        return statistics.median(spent) * 1000


def unchanged(server: Server) -> str:
    """The address of a poll that has nothing new."""
    with contextlib.closing(sqlite3.connect(server.data / "lora.db")) as connection:
        (version,) = connection.execute("SELECT version FROM job WHERE id = 1").fetchone()
    return f"/jobs/1/status?v={version}"


def logs(table: Table, server: Server, line: Line) -> None:
    """The same poll at the end of a log of 5 KB and of 5 GB, against an empty answer."""
    log = server.data / "jobs/1/attempts/1/log.txt"
    empty = line.median(unchanged(server))
    found = {}
    for size in (5_000, LARGE):
        with log.open("r+b") as file:
            file.truncate(size)
            file.seek(size - 1000)
            file.write(b"a line of the log\n" * 55)
        found[size] = line.median(f"/jobs/1/log?attempt=1&after={size - 1000}")
        table.add(f"log poll, {size / 1e6:g} MB", f"{found[size]:.2f} ms")
    table.add("empty answer of the same server", f"{empty:.2f} ms")
    table.ratio("log poll of 5 GB / empty answer", found[LARGE] / 1e3, empty / 1e3, 3.0)
    table.ratio("log poll of 5 GB / of 5 KB", found[LARGE] / 1e3, found[5_000] / 1e3, 1.5)


def curves(table: Table, server: Server, line: Line) -> None:
    """A chart over a million points."""
    folder = server.data / "jobs/1/metrics"
    for path in folder.glob("loss.*"):
        path.unlink()
    folder.mkdir(exist_ok=True)
    (folder / ".built").touch()
    numbers = random.Random(1)
    rows = [Sample(n, 1, float(n), numbers.random()) for n in range(1, POINTS + 1)]
    begin = time.perf_counter()
    Series(folder / "loss").append(rows)
    table.add(f"{POINTS} points written with their levels", f"{time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    _, size, _ = line.get("/jobs/1/curves.json?series=loss&width=1000")
    first = (time.perf_counter() - begin) * 1000
    whole = line.median("/jobs/1/curves.json?series=loss&width=1000")
    part = line.median(
        f"/jobs/1/curves.json?series=loss&width=1000&from={POINTS // 3}&to={POINTS // 2}"
    )
    table.add("chart over all points", f"{whole:.1f} ms, {size / 1000:.1f} kB (asked: 50 ms)")
    table.add("chart over a part", f"{part:.1f} ms")
    table.add(
        "first data", f"{first:.1f} ms; TensorBoard, as stated: {TENSORBOARD_FIRST_MS:.0f} ms"
    )
    table.add("times faster to first data than TensorBoard", f"{TENSORBOARD_FIRST_MS / first:.0f}")
    table.ratio("a request / TensorBoard's, as stated", whole / 1e3, TENSORBOARD_MS / 1e3)


def watched(table: Table, server: Server, line: Line) -> None:
    """What one open page of a job that is over in all but name costs."""
    status, size, _ = line.get(unchanged(server))
    table.add("bytes of a poll with nothing new", f"{size} (status {status}; asked: under 300)")
    table.add("idle", f"{load(server, 10):.2f} % of a core")
    over, quiet = time.monotonic() + 10, unchanged(server)
    size = (server.data / "jobs/1/attempts/1/log.txt").stat().st_size
    log = f"/jobs/1/log?attempt=1&after={size}"

    def poll() -> None:
        """As often as the page of a running job does."""
        page, second = Line(server), 0
        while time.monotonic() < over:
            for path, every in ((quiet, 2), ("/jobs/1/outputs", 4), (log, 1)):
                if second % every == 0:
                    page.get(path)
            second += 1
            time.sleep(1)

    thread = threading.Thread(target=poll)
    thread.start()
    table.add("one watched job", f"{load(server, 9):.2f} % of a core")
    thread.join()
    table.add("master and worker", f"{sum(map(pss_mb, gunicorns(server))):.0f} MB PSS")


def many(table: Table, folder: Path) -> None:
    """The jobs table with many jobs, within this process."""
    app = make_app(folder)
    with app.app_context():
        rows = [{
            "name": f"job {n}", "family": "sdxl", "engine": "ai-toolkit", "document": "{}",
            "state": ("succeeded", "failed", "cancelled", "queued")[n % 4], "created": float(n),
            "held": True, "total_steps": 100, "step": n % 100,
        } for n in range(JOBS)]  # fmt: skip
        db.session.execute(insert(Job), rows)
        db.session.commit()
    client = app.test_client()
    for label, path in (
        ("first page", "/"),
        ("search", "/?q=job+77"),
        ("one state", "/?state=failed"),
    ):
        client.get(path)
        spent = []
        for _ in range(15):
            begin = time.perf_counter()
            assert client.get(path).status_code == 200
            spent.append(time.perf_counter() - begin)
        middle = statistics.median(spent) * 1000
        table.add(f"jobs table, {JOBS} jobs, {label}", f"{middle:.1f} ms (asked: 50 ms)")
    close_all()


def main() -> int:
    table = Table()
    with tempfile.TemporaryDirectory(prefix="vast-lora-bench-") as name:
        folder = Path(name)
        server, document = make(folder)
        server.start()
        try:
            server.post("/api/v1/jobs", document)
            server.wait_for(1, "succeeded")
            line = Line(server)
            watched(table, server, line)
            logs(table, server, line)
            curves(table, server, line)
        finally:
            server.kill()
        many(table, folder / "many")
    return 0


if __name__ == "__main__":
    sys.exit(main())

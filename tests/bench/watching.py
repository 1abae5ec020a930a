"""Measures what watching a run costs: log, curves, the jobs table, one open page. Prints a table.

``scripts/bench.sh watching``. BENCH_POINTS and BENCH_JOBS make it smaller. Where BENCH_TENSORBOARD
names a TensorBoard, it is measured in the same run; else its figures are those measured beside it
once (two cores): 1.7 s to the first data of 1,000,000 points, 53 ms a request, 1,000 of the points
at random.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.jobs.series import Sample, Series
from tests.bench import tensorboard
from tests.bench.limits import median
from tests.bench.page import Line, OpenPage
from tests.bench.processes import gunicorns, load, memory_mb
from tests.bench.queue import make
from tests.bench.rows import add_jobs
from tests.bench.table import Table
from tests.support.platform import close_all, make_app
from tests.support.polls import poll_of
from tests.support.server import Server

POINTS = int(os.environ.get("BENCH_POINTS", "1000000"))
JOBS = int(os.environ.get("BENCH_JOBS", "10000"))
LARGE = 5_000_000_000
WATCH_SECONDS = 30
TENSORBOARD_MS = 53.0
TENSORBOARD_FIRST_MS = 1700.0


def unchanged(server: Server) -> str:
    """The address of a poll that has nothing new: that of the jobs table."""
    return poll_of(Line(server).get("/", "identity")[2].decode(), "jobs-table")


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


def curves(table: Table, server: Server, line: Line, folder: Path) -> None:
    """A chart over a million points: ours, and TensorBoard's of the same numbers where it is there."""
    metrics = server.data / "jobs/1/metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    (metrics / ".built").touch()
    values = np.random.default_rng(1).random(POINTS, dtype="f4")
    rows = [Sample(n, 1, float(n), float(value)) for n, value in enumerate(values, 1)]
    begin = time.perf_counter()
    Series(metrics / "loss").append(rows)
    table.add(f"{POINTS} points written with their levels", f"{time.perf_counter() - begin:.1f} s")
    del rows
    chart = "/jobs/1/curves.json?series=loss&width=1000"
    begin = time.perf_counter()
    _, size, _ = line.get(chart)
    first = time.perf_counter() - begin
    whole = line.median(chart)
    part = line.median(f"{chart}&from={POINTS // 3}&to={POINTS // 2}")
    newer = line.median(f"{chart}&since={POINTS - 10}")
    table.add("chart over all points", f"{whole:.1f} ms, {size / 1000:.1f} kB (asked: 50 ms)")
    table.add("chart over a part / ten new points", f"{part:.1f} ms / {newer:.1f} ms")
    table.add("first data, dashboard running", f"{first * 1000:.1f} ms")
    peer = _peer(folder, values)
    if peer is None:
        table.add("TensorBoard", "not measured: BENCH_TENSORBOARD names none")
        times = TENSORBOARD_FIRST_MS / first / 1000
        table.add("times faster to first data than TensorBoard's stated 1.7 s", f"{times:.0f}")
        table.ratio("a request / TensorBoard's, as stated", whole / 1e3, TENSORBOARD_MS / 1e3)
        return
    started = _from_exec(server, chart)
    table.add("TensorBoard, from exec to its first answer / to the data",
              f"{peer.answers:.2f} s / {peer.data:.2f} s")  # fmt: skip
    table.add("times faster to first data than TensorBoard (asked: 20)",
              f"{peer.data / first:.0f}  [its server started for the run, ours there already]")  # fmt: skip
    table.add("  both servers running, before they read the run",
              f"{(peer.data - peer.answers) / first:.0f}")  # fmt: skip
    table.add("  both from exec", f"{peer.data / started:.1f}  [{started:.2f} s]")
    table.ratio(f"a request / TensorBoard's of {peer.points} points", whole / 1e3, peer.request)


def _peer(folder: Path, values: np.ndarray) -> tensorboard.Peer | None:
    """TensorBoard's figures of this very run; None where there is none."""
    if not tensorboard.EXECUTABLE:
        return None
    tensorboard.write_run(folder / "tensorboard/run", values)
    return tensorboard.measure(folder / "tensorboard/run", POINTS)


def _from_exec(server: Server, chart: str) -> float:
    """Seconds from the start of the program to the data, with the database as it is."""
    server.kill()
    begin = time.perf_counter()
    server.start()
    Line(server).get(chart)
    return time.perf_counter() - begin


def watched(table: Table, server: Server, document: dict[str, object]) -> None:
    """What a running job costs that makes a step a second, alone and with its page open."""
    table.add("idle", f"{load(server, 15):.2f} % of a core")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    server.wait_for(2, "running")
    metrics = server.data / "jobs/2/metrics"
    metrics.mkdir(exist_ok=True)
    (metrics / ".built").touch()
    over = threading.Event()

    def record() -> None:
        """The stand-in keeps no records; a trainer does, one a step."""
        step = 0
        while not over.wait(1):
            step += 1
            Series(metrics / "loss").append([Sample(step, 1, time.time(), 1 / step)])

    recording = threading.Thread(target=record)
    recording.start()
    time.sleep(5)
    alone = load(server, WATCH_SECONDS)
    table.add("one running job, nobody looks", f"{alone:.2f} % of a core")
    page = OpenPage(server, 2)
    page.watch(8)
    page.statuses.clear()
    both = _meanwhile(server, lambda: page.watch(WATCH_SECONDS))
    polls = sum(map(len, page.statuses.values()))
    empty = sum(statuses.count(204) for statuses in page.statuses.values())
    table.add("one watched job, a step a second", f"{both:.2f} % of a core (asked: 1)")
    table.add("  of that the open page", f"{both - alone:.2f} %")
    floor = _bare(server, polls) - alone
    table.add("  as many answers of /healthz, as slowly asked for", f"{floor:.2f} %")
    table.add("  its polls", f"{polls / WATCH_SECONDS:.1f} a second, {empty} of {polls} empty")
    table.add("master and worker", f"{memory_mb(gunicorns(server)):.0f} MB PSS")
    over.set()
    recording.join()
    server.post("/api/v1/jobs/2/stop")
    server.wait_for(2, "cancelled")


def _bare(server: Server, polls: int) -> float:
    """Percent of a core while the least that this server can answer is asked for as often."""
    line, over = Line(server), time.monotonic() + WATCH_SECONDS

    def ask() -> None:
        while time.monotonic() < over:
            line.get("/healthz")
            time.sleep(WATCH_SECONDS / polls)

    return _meanwhile(server, ask)


def _meanwhile(server: Server, act: Callable[[], None]) -> float:
    """Percent of a core that the server takes while ``act`` goes on."""
    thread = threading.Thread(target=act)
    thread.start()
    found = load(server, WATCH_SECONDS - 1)
    thread.join()
    return found


def bytes_of_a_poll(table: Table, server: Server, line: Line) -> None:
    status, size, _ = line.get(unchanged(server))
    table.add("bytes of a poll with nothing new", f"{size} (status {status}; asked: under 300)")


def many(table: Table, folder: Path) -> None:
    """The jobs table with many jobs, within this process."""
    app = make_app(folder)
    add_jobs(app, JOBS)
    client = app.test_client()
    for label, path in (
        ("first page", "/"),
        ("search", "/?q=job+77"),
        ("one state", "/?state=failed"),
    ):
        assert client.get(path).status_code == 200
        middle = median(lambda path=path: client.get(path), 15) * 1000
        table.add(f"jobs table, {JOBS} jobs, {label}", f"{middle:.1f} ms (asked: 50 ms)")
    close_all()


def main() -> int:
    table = Table()
    with tempfile.TemporaryDirectory(prefix="vast-lora-bench-") as name:
        folder = Path(name)
        server, document = make(folder, STANDIN_SECONDS="1")
        server.start()
        try:
            server.post("/api/v1/jobs", {**document, "length": {"steps": 1}})
            server.wait_for(1, "succeeded")
            table.add("load of the machine over the last minute", f"{os.getloadavg()[0]:.1f}")
            watched(table, server, document)
            line = Line(server)
            bytes_of_a_poll(table, server, line)
            logs(table, server, line)
            curves(table, server, line, folder)
        finally:
            server.kill()
        many(table, folder / "many")
    return 0


if __name__ == "__main__":
    sys.exit(main())

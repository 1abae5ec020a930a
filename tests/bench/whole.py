"""Measures the whole program in one sitting and prints one table, each row beside its yardstick.

``scripts/bench.sh`` without an argument; three to five minutes. Sizes: BENCH_JOBS (10000), BENCH_POINTS
(1000000), BENCH_IMAGES (10000), BENCH_LOG_MB (5000), BENCH_TRANSFER_MB (256), BENCH_IDLE_SECONDS (20).
Absolute times of one machine mean little: the ratios compare with the yardsticks of the same minutes.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app import create_app
from app.db import db
from app.jobs.series import Sample, Series
from app.settings import Settings
from tests.bench import browser, datasets, limits, measures, processes, queue
from tests.bench.dataset_pages import fill
from tests.bench.limits import Bare, running
from tests.bench.measures import Measure
from tests.bench.page import at_once
from tests.bench.rows import add_jobs
from tests.bench.watching import Line, unchanged
from tests.support import chromium
from tests.support.server import Server
from tests.support.wait import until


def size(name: str, usual: int) -> int:
    return int(os.environ.get(name, str(usual)))


JOBS, POINTS = size("BENCH_JOBS", 10_000), size("BENCH_POINTS", 1_000_000)
IMAGES, LOG_MB = size("BENCH_IMAGES", 10_000), size("BENCH_LOG_MB", 5_000)
TRANSFER, IDLE = size("BENCH_TRANSFER_MB", 256) << 20, size("BENCH_IDLE_SECONDS", 20)
GUI, TOOLKIT, BOARD = "kohya_ss GUI", "ai-toolkit UI", "TensorBoard"


class Bench:
    """Our server and a bare one, on the same machine at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.document = queue.make(folder / "ours", STANDIN_SECONDS="0.005")
        self.big = folder / "big.bin"
        self.big.write_bytes(os.urandom(1 << 20) * (TRANSFER >> 20))
        (folder / "bare").mkdir()
        self.bare = Bare(folder / "bare", self.big)

    def rows(self) -> Iterator[Measure]:
        yield from self._start()
        with running(self.bare), running(self.ours):
            yield from self._at_rest("at rest after the start")
            yield from self._queue()
            yield from self._fifty()
            self._fill()
            yield from self._at_size()
            yield from self._transfer()
            yield from self._in_chromium()
            yield from self._at_rest("at rest after all of this")

    def _pid(self, server: Server) -> int:
        assert server.process is not None, "it is running"
        return server.process.pid

    def _start(self) -> Iterator[Measure]:
        taken: dict[Server, list[tuple[float, float]]] = {self.ours: [], self.bare: []}
        # The first start makes the database; it is no median's business.
        with running(self.ours):
            pass
        for _ in range(5):
            for server, spent in taken.items():
                begin = time.perf_counter()
                with running(server):
                    seconds = time.perf_counter() - begin
                    spent.append((seconds, processes.family_seconds(self._pid(server))))
        ours, bare = (
            [statistics.median(each) for each in zip(*spent, strict=True)]
            for spent in taken.values()
        )
        yield Measure(
            "cold start: CPU to the first 200", ours[1], "s", bare[1], "bare Flask",
            peers=f"{GUI} 10.5 s, SimpleTuner 12.5-16.0, lora-scripts 3.2-3.7, {BOARD} 1.6",
        )  # fmt: skip
        yield Measure(
            "cold start to the first 200", ours[0], "s", bare[0], "bare Flask", 1.0,
            peers=f"{GUI} 17.5 s, SimpleTuner 13.7-17.1, {TOOLKIT} 8.3, lora-scripts 3.1-5.7, {BOARD} 1.4-1.7",
        )  # fmt: skip

    def _at_rest(self, when: str) -> Iterator[Measure]:
        self._calm()
        time.sleep(5)
        pids = [self._pid(server) for server in (self.ours, self.bare)]
        before, begin = [processes.family_seconds(pid) for pid in pids], time.monotonic()
        time.sleep(IDLE)
        seconds = time.monotonic() - begin
        spent = [processes.family_seconds(pid) for pid in pids]
        load = [100 * (now - then) / seconds for now, then in zip(spent, before, strict=True)]
        yield Measure(
            f"CPU {when}, over {IDLE} s", load[0], "% of a core", None, f"bare Flask: {load[1]:.2f}",
            0.2, peers=f"{GUI} 9.9, {TOOLKIT} 1.7, SimpleTuner 0.43, {BOARD} 0.23",
        )  # fmt: skip
        ours, bare = (processes.family(pid) for pid in pids)
        yield Measure(
            f"memory {when} (PSS, {len(ours)} processes)", processes.memory_mb(ours), "MB",
            processes.memory_mb(bare), "bare Flask", 90,
            peers=f"{GUI} 371 (RSS), SimpleTuner 709 (RSS), {TOOLKIT} 375, {BOARD} 89 (RSS)",
        )  # fmt: skip

    def _queue(self) -> Iterator[Measure]:
        waits = queue.submit_to_exec(self.ours, self.document, 9)
        spawn = limits.median(limits.spawn_python, 9)
        yield Measure(
            "submit to the trainer's exec", statistics.median(waits) * 1000, "ms", spawn * 1000,
            "python -c pass",
        )  # fmt: skip
        held = self.ours.post("/api/v1/jobs?hold=1", self.document)["id"]
        spent = limits.median(lambda: self.ours.post(f"/api/v1/jobs/{held}/hold"), 21) * 1000
        hello = Line(self.bare).median("/") + limits.commit_ms(self.folder)
        yield Measure("an action: one POST", spent, "ms", hello, "bare Flask and a SQLite commit")

    def _calm(self) -> None:
        """Until what a start or a job set going is over: no work waits, master and worker are alone.

        Between two pieces of work they are alone as well, and the next one would count as ours.
        """
        pid, wanted = (
            self._pid(self.ours),
            "SELECT 1 FROM task WHERE state IN ('waiting', 'running')",
        )
        with contextlib.closing(sqlite3.connect(self.ours.data / "lora.db")) as database:
            until(
                lambda: not database.execute(wanted).fetchone() and len(processes.family(pid)) <= 2,
                120, "calm", interval=0.2,
            )  # fmt: skip

    def _fifty(self) -> Iterator[Measure]:
        self._jobs(50)
        self._calm()
        ours, bare = Line(self.ours), Line(self.bare)
        for lines in (1, 8):
            yield Measure(
                f"server CPU of a page of 50 jobs, {lines} at once",
                self._cpu_of(self.ours, "/", lines), "ms", self._cpu_of(self.bare, "/table", lines),
                "Flask + Jinja, 50 rows", 3.0, peers=f"Flask + Jinja 0.9, SimpleTuner 5.3, {GUI} 613",
            )  # fmt: skip
        yield Measure(
            "time to its last byte", ours.median("/"), "ms", bare.median("/table"),
            "Flask + Jinja, 50 rows", peers=f"{BOARD} 1.5, SimpleTuner 6.1, {TOOLKIT} 76, {GUI} 588",
        )  # fmt: skip
        yield Measure(
            "a poll with nothing new", ours.median(unchanged(self.ours)), "ms", bare.median("/"),
            "Flask hello",
        )  # fmt: skip

    def _cpu_of(self, server: Server, path: str, lines: int) -> float:
        """Milliseconds a request, over so many connections; the middle of five times 200."""

        def ask() -> None:
            at_once(server, path, 200, lines)

        pid = self._pid(server)
        return statistics.median(processes.cpu_of(pid, ask, 1) / 200 for _ in range(5))

    def _jobs(self, count: int) -> None:
        add_jobs(create_app(Settings.from_env(self.ours.env)), count)

    def _fill(self) -> None:
        """Everything at size: jobs, a dataset, a curve, a log."""
        self._jobs(JOBS)
        app = create_app(Settings.from_env(self.ours.env))
        self.dataset = fill(app, self.ours.data / "datasets" / "many", IMAGES)
        with app.app_context():
            db.engine.dispose()
        folder = self.ours.data / "jobs/1/metrics"
        for path in folder.glob("loss.*"):
            path.unlink()
        folder.mkdir(exist_ok=True)
        (folder / ".built").touch()
        numbers = random.Random(1)
        points = [Sample(n, 1, float(n), numbers.random()) for n in range(1, POINTS + 1)]
        Series(folder / "loss").append(points)
        with (self.ours.data / "jobs/1/attempts/1/log.txt").open("r+b") as file:
            file.truncate(LOG_MB * 1_000_000)
            file.seek(LOG_MB * 1_000_000 - 1000)
            file.write(b"a line of the log\n" * 55)

    def _at_size(self) -> Iterator[Measure]:
        line, hello = Line(self.ours), Line(self.bare).median("/")
        tail = f"/jobs/1/log?attempt=1&after={LOG_MB * 1_000_000 - 1000}"
        chart = "/jobs/1/curves.json?series=loss&width=1000"
        first = limits.seconds_of(lambda: Line(self.ours).get(chart)) * 1000
        for what, path, most, peers in (
            (f"log poll at {LOG_MB} MB", tail, None, f"{TOOLKIT} 46; {GUI} shows no log"),
            (f"chart of {POINTS:,} points", chart, 50, f"{BOARD} 53, of 1,000 points at random"),
            (f"jobs table, {JOBS:,} jobs", "/", 50, f"{TOOLKIT} 208 for 501 jobs"),
            (f"jobs table, search in {JOBS:,}", "/?q=job+77", 50, ""),
            (f"dataset grid, {IMAGES:,} pictures", f"/datasets/{self.dataset}", 100, ""),
            ("one tag in it", f"/datasets/{self.dataset}?tag=tag+7", 100, ""),
        ):
            spent = line.median(path, 21)
            yield Measure(what, spent, "ms", hello, "Flask hello", most, peers=peers)
        yield Measure(
            "chart, first data", first, "ms", hello, "Flask hello", peers=f"{BOARD} 1,700",
        )  # fmt: skip

    def _transfer(self) -> Iterator[Measure]:
        file = self.ours.data / "jobs/1/output/big.bin"
        os.link(self.big, file)
        mb = TRANSFER / 1e6
        ours, bare = (
            mb / limits.median(lambda s=s, p=p: limits.download(s.port, p), 3)
            for s, p in ((self.ours, "/jobs/1/files/big.bin"), (self.bare, "/big"))
        )
        yield Measure(
            "download of a checkpoint", ours, "MB/s", bare, "Flask send_file", least=0.8, of_ratio=True,
            peers="nginx 2,218 MB/s, Flask send_file 2,319",
        )  # fmt: skip
        raw, bare, ours = (mb / s for s in limits.in_turn(self._raw, self._put_bare, self._upload))
        what = "upload in pieces of 48 MB"
        yield Measure(
            what, ours, "MB/s", bare, "Flask, one request to a file", least=0.77, of_ratio=True,
            peers="Flask 422 MB/s, nginx 631",
        )  # fmt: skip
        yield Measure(what, ours, "MB/s", raw, "raw socket to a file", peers="raw socket 750 MB/s")

    def _raw(self) -> float:
        return limits.seconds_of(lambda: limits.socket_to_file(TRANSFER, self.folder / "raw"))

    def _put_bare(self) -> float:
        return limits.seconds_of(lambda: datasets.put_whole(self.bare, self.big))

    def _upload(self) -> float:
        film = self.folder / "film.mp4"
        if not film.exists():
            os.link(self.big, film)
        return datasets.upload(self.ours, film)

    def _in_chromium(self) -> Iterator[Measure]:
        with chromium.started() as found:
            if found is None:
                return
            bare = browser.load(found, f"{self.bare.url}/table", 5)
            for what, path in (
                ("jobs", "/"),
                ("a finished job", "/jobs/2"),
                ("New job", "/jobs/new"),
            ):
                load = browser.load(found, self.ours.url + path, 5)
                yield Measure(
                    f"page {what}: requests", load.requests, "", None, "", 8,
                    peers=f"{GUI} 117, SimpleTuner 143, lora-scripts 46",
                )  # fmt: skip
                yield Measure(
                    f"page {what}: on the wire", load.sent, "KB", None, "", 70,
                    peers=f"{GUI} 7,055, SimpleTuner 3,771, lora-scripts 1,523",
                )  # fmt: skip
                yield Measure(
                    f"page {what}: first byte", load.first_byte, "ms", bare.first_byte, "bare table",
                )  # fmt: skip
                yield Measure(
                    f"page {what}: first paint", load.first_paint, "ms", bare.first_paint, "bare table",
                    150, peers=f"lora-scripts 384, {GUI} 1,488-1,768, SimpleTuner 2,232",
                )  # fmt: skip
                yield Measure(
                    f"page {what}: can be used", load.usable, "ms", bare.usable, "bare table",
                    peers=f"lora-scripts 560, {GUI} 1,102-1,455, SimpleTuner 2,909",
                )  # fmt: skip


def main() -> int:
    """Print the table, and on the way each row as it comes; a broken run still tells something."""
    begin, found = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="vast-lora-bench-") as name:
        try:
            for row in Bench(Path(name)).rows():
                print(f"{time.monotonic() - begin:4.0f} s  {row.what}", file=sys.stderr, flush=True)
                found.append(row)
        finally:
            print(measures.text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

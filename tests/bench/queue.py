"""Measures the queue: start, restart, submit to exec, idle, eight busy jobs. Prints a table.

``scripts/bench.sh queue``. Absolute times of one machine mean little: run it beside what you
compare with, in one sitting.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.jobs.rundir import read_json
from tests.support import chaos, engines
from tests.support.server import Server
from tests.support.wait import until

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its threads, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def gunicorns(server: Server) -> list[int]:
    """Master and worker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if any(b"app.wsgi:app" in word for word in words):
            environ = (path.parent / "environ").read_bytes()
            if f"DATA_DIR={server.data}".encode() in environ.split(b"\0"):
                found.append(int(path.parent.name))
    return found


def load(server: Server, seconds: float) -> float:
    """Percent of a core that the program takes over so many seconds."""
    pids = gunicorns(server)
    before, begin = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(map(cpu_seconds, pids)) - before) / (time.monotonic() - begin)


def fake_gpus(folder: Path, count: int) -> dict[str, str]:
    """The environment of a machine with so many GPUs; needs a C compiler."""
    folder.mkdir()
    source = Path(__file__).parents[1] / "support" / "nvml_double.c"
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return {"LD_LIBRARY_PATH": str(folder), "DOUBLE_COUNT": str(count)}


def make(folder: Path, **env: str) -> tuple[Server, dict[str, object]]:
    server = Server(folder, {**engines.make(folder / "engines"), **env})
    document = {**chaos.document(folder), "engine": "kohya_ss"}
    return server, document


def start(server: Server) -> float:
    begin = time.monotonic()
    server.start()
    return time.monotonic() - begin


def submit_to_exec(server: Server, document: dict[str, object], times: int) -> list[float]:
    """Seconds from sending the request to the trainer's start, as the runner recorded it."""
    measured = []
    for _ in range(times):
        begin = time.time()
        job = server.post("/api/v1/jobs", document)["id"]
        path = server.data / f"jobs/{job}/attempts/1/launch.json"
        until(lambda path=path: "started" in (read_json(path) or {}), 20, "the trainer starts")
        measured.append((read_json(path) or {})["started"] - begin)
        server.wait_for(job, "succeeded", "failed")
    return measured


def main() -> int:
    """Measure, and show the server's log if it fails."""
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        server, document = make(folder / "one", STANDIN_SECONDS="0.005")
        server.data.mkdir(parents=True)
        first = start(server)
        waits = submit_to_exec(server, document, 9)
        rows.append(
            (
                "submit to the trainer's exec, median of 9",
                f"{statistics.median(waits) * 1000:.0f} ms",
            )
        )
        rows.append(("idle, percent of a core over 30 s", f"{load(server, 30):.2f}"))
        rows.append(
            ("memory (PSS) of master and worker", f"{sum(map(pss_mb, gunicorns(server))):.0f} MB")
        )
        server.kill()
        rows.append(("first start to 200 (new database)", f"{first:.2f} s"))
        again = []
        for _ in range(5):
            again.append(start(server))
            server.kill()
        rows.append(
            ("start after SIGKILL to 200, median of 5", f"{statistics.median(again):.2f} s")
        )
        if shutil.which("cc"):
            rows.append(("8 jobs with 100 lines/s each, percent of a core", f"{eight(folder):.1f}"))
    width = max(len(label) for label, _ in rows)
    print("\n".join(f"{label:{width}}  {value}" for label, value in rows))
    return 0


def eight(folder: Path) -> float:
    """Eight stand-ins on eight stand-in GPUs; each step draws two bars."""
    gpus = fake_gpus(folder / "nvml", 8)
    server, document = make(folder / "eight", STANDIN_SECONDS="0.02", **gpus)
    server.data.mkdir(parents=True)
    server.start()
    for _ in range(8):
        server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    for job in range(1, 9):
        server.wait_for(job, "running")
    used = load(server, 20)
    for job in range(1, 9):
        server.post(f"/api/v1/jobs/{job}/stop")
    for job in range(1, 9):
        server.wait_for(job, "cancelled")
    server.kill()
    return used


if __name__ == "__main__":
    sys.exit(main())

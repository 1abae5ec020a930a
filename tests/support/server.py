"""The real program: gunicorn on a free port, on a fresh data folder, that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.settings import ROOT
from tests.support.wait import until


def free_port() -> int:
    """One that stays free for a server which is killed and started again.

    Not among those that the kernel gives to whoever connects somewhere: such a one can be taken meanwhile.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    while True:
        port = secrets.choice(range(10_000, max(int(given[0]), 20_000)))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """``start`` and ``kill`` as often as you like; the data folder stays."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Nothing of the machine's own settings may leak in.
        kept = {
            name: value for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "TMPDIR") or name.startswith("COVERAGE_")
        }  # fmt: skip
        self.env = {
            **kept, "DATA_DIR": str(self.data), "PORT": str(self.port), "DISK_SOFT_GB": "0",
            "DISK_HARD_GB": "0", "HF_HUB_OFFLINE": "1", **env,
        }  # fmt: skip
        self.headers = (
            {"Authorization": f"Bearer {env['AUTH_TOKEN']}"} if "AUTH_TOKEN" in env else {}
        )
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "app.cli", "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        until(self.is_up, timeout=30, what="the server answers")

    def is_up(self) -> bool:
        try:
            return self.get("/healthz")["status"] == "ok"
        except (OSError, urllib.error.HTTPError):
            return False

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """The whole program at once, as it would be killed from outside."""
        if self.process is not None:
            os.killpg(self.process.pid, how)
            self.process.wait(timeout=40)
            self.process = None

    def task_children(self) -> list[int]:
        """Children of background work on this data folder, also of a server that is gone."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"DATA_DIR={self.data}".encode() in (process / "environ").read_bytes()
                if mine and b"app.tasks.child" in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers=self.headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def post(self, path: str, data: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(data or {}).encode(),
            headers={"Content-Type": "application/json", **self.headers},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def form(self, path: str, **fields: str | list[str]) -> None:
        """Post a form as a page without JavaScript does."""
        data = urllib.parse.urlencode(fields, doseq=True).encode()
        request = urllib.request.Request(self.url + path, data, self.headers)
        with urllib.request.urlopen(request, timeout=30):
            pass  # it led to a page

    def job(self, job_id: int) -> Any:
        return self.get(f"/api/v1/jobs/{job_id}")

    def wait_for(self, job_id: int, *states: str, timeout: float = 60) -> Any:
        """The job once it is in one of ``states``."""

        def look() -> Any:
            job = self.job(job_id)
            return job if job["state"] in states else None

        return until(look, timeout=timeout, what=f"job {job_id} is {' or '.join(states)}")

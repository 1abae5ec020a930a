"""Uploads what waits for one target, in a process of its own, and writes down what was proven there.

It can be killed at any line: a row says verified only after the place was asked, and the next try
asks first and sends only what is missing or wrong.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from app.delivery import card, store
from app.delivery.choosing import CARD
from app.delivery.opening import open_remote
from app.delivery.remotes import RIGHT, Local, Remote, digest
from app.delivery.targets import Target, find
from app.errors import UserError
from app.jobs import service
from app.jobs import store as jobs
from app.models import Delivery, Job
from app.tasks import RetryLaterError, Work

_ROUNDS = 5


def run(work: Work) -> dict[str, Any]:
    """Arguments: ``job`` and ``target``, both by id."""
    with work.database():
        job = jobs.get(work.arguments["job"])
        return Upload(work, job, find(work.arguments["target"])).run()


class Upload:
    """One job's files on their way to one target."""

    def __init__(self, work: Work, job: Job, target: Target) -> None:
        self._work, self._job, self._target = work, job, target
        self._root = service.run_dir(job).root
        self._done = self._total = self._proven = 0
        self._gone: list[str] = []

    def run(self) -> dict[str, Any]:
        remote = open_remote(self._target, self._target.place_of(self._job), self._work.settings)
        self._say("Looking at the target")
        address = remote.prepare()
        if self._target.kind == "hub":
            chosen = store.rows(self._job.id, self._target.id)
            card.write(
                self._root / f"delivery/{self._target.id}/{CARD}", self._job, self._target, chosen
            )
        for _ in range(_ROUNDS):
            waiting = [row for row in self._rows() if store.state_of(row) != "verified"]
            if not waiting:
                break
            self._send(remote, waiting)
            if any(row.state == "failed" for row in self._rows()):
                break
        return self._result(address)

    def _rows(self) -> list[Delivery]:
        return list(store.rows(self._job.id, self._target.id))

    def _send(self, remote: Remote, waiting: list[Delivery]) -> None:
        ids, files = self._measured(waiting)
        if not files:
            return
        have = remote.check(files)
        missing = [file for file in files if have.get(file.name) != RIGHT]
        self._done = sum(file.size for file in files) - sum(file.size for file in missing)
        self._total = sum(file.size for file in files)
        self._progress(0, "Uploading")
        if missing:
            remote.send(missing, self._progress)
            for file in missing:
                store.change(ids[file.name], state="sent")
            self._say("Verifying by size and hash")
            have.update({file.name: "It did not arrive." for file in missing})
            have.update(remote.check(missing))
        for file in files:
            self._settle(ids[file.name], file, have[file.name])

    def _measured(self, waiting: list[Delivery]) -> tuple[dict[str, int], list[Local]]:
        """Hash what is to be sent. A file that the engine pruned meanwhile is nobody's loss now."""
        ids, files = {}, []
        for row_id, source, name in [(row.id, row.source, row.path) for row in waiting]:
            path = self._root / source
            self._say(f"Hashing {name}")
            try:
                local = measure(path, name)
            except FileNotFoundError:
                self._gone.append(name)
                store.forget(row_id)
                continue
            ids[name] = row_id
            files.append(local)
            store.change(row_id, size=local.size, mtime_ns=local.mtime_ns, sha256=local.sha256)
        return ids, files

    def _settle(self, row_id: int, file: Local, sentence: str) -> None:
        if sentence == RIGHT:
            store.change(row_id, state="verified", error="", verified_at=time.time())
            self._proven += 1
        else:
            store.change(row_id, state="failed", error=sentence, verified_at=None)

    def _result(self, address: str) -> dict[str, Any]:
        rows = self._rows()
        bad = [row for row in rows if row.state == "failed"]
        if bad:
            raise UserError(
                f"{len(bad)} of {len(rows)} files could not be verified at {address}. "
                f"{bad[0].path}: {bad[0].error} Press Go on to send it again."
            )
        if any(store.state_of(row) != "verified" for row in rows):
            raise RetryLaterError("Files kept changing while they were sent.", seconds=30)
        if self._proven:
            # An event of the job: open pages, the table of jobs too, then show that it is backed up.
            many = "a file" if self._proven == 1 else f"{self._proven} files"
            jobs.note(self._job, f"copied to {self._target.name}: {many} verified there")
        gone = f"; {len(self._gone)} were deleted here before they were sent" if self._gone else ""
        self._work.progress(1, 1, f"{len(rows)} files verified at {address}{gone}.")
        return {"address": address, "files": len(rows), "gone": self._gone}

    def _progress(self, count: int, name: str) -> None:
        self._done = min(self._total, self._done + count)
        self._work.progress(self._done, self._total, name, unit="bytes")

    def _say(self, message: str) -> None:
        self._work.progress(self._done, self._total or None, message, unit="bytes")


def measure(path: Path, name: str) -> Local:
    """Size, time and hash that belong together: a file that is being written is looked at again."""
    for _ in range(3):
        before = path.stat()
        found = digest(path)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return Local(path, name, after.st_size, after.st_mtime_ns, found)
    raise RetryLaterError(f"{name} is still being written.", seconds=30)

"""Background work in tests: done at once in the test's own process, and functions for real children."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import UserError
from app.settings import Settings
from app.tasks.kinds import KINDS
from app.tasks.work import RetryLaterError, Work, log_path

if TYPE_CHECKING:
    from flask import Flask


class InlineWork(Work):
    """Uses the application that is there; making another one takes most of a test's time."""

    app: Flask

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        with self.app.app_context():
            yield


class InlineTasks:
    """Stands for the runner; ``run_all`` does everything that waits, without a process."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self.environment: dict[str, str] = {}

    busy = False

    def tick(self) -> None:
        """Nothing starts by itself: a test says when."""

    def quit(self) -> None:
        """There is nothing to end."""

    def run_all(self) -> list[str]:
        """Do what waits, what that starts too; how each ended: its error, empty when done."""
        from app.tasks import store

        ended = []
        with self._app.app_context():
            while waiting := store.startable(time.time() + 1e9):
                ended.append(self._run(waiting[0].id))
        return ended

    def _run(self, task_id: int) -> str:
        from app.tasks import store

        task = store.get(task_id)
        log = log_path(self._settings, task_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        work = InlineWork(
            task_id, json.loads(task.arguments), self._settings, tell=io.StringIO(), log=log
        )
        work.app = self._app
        module, _, function = KINDS[task.kind].run.partition(":")
        try:
            result = getattr(importlib.import_module(module), function)(work)
        except (UserError, RetryLaterError) as error:
            store.change(task_id, state="failed", error=str(error), finished=time.time())
            return str(error)
        store.change(task_id, state="done", result=json.dumps(result or {}), finished=time.time())
        return ""


def count(work: Work) -> dict[str, Any]:
    """Counts to ``to``, remembering on disk how far it came."""
    place = Path(work.arguments["file"])
    done = int(place.read_text()) if place.exists() else 0
    while done < work.arguments["to"]:
        done += 1
        place.write_text(str(done))
        work.progress(done, work.arguments["to"], f"at {done}")
        if done == work.arguments.get("fail_at"):
            raise UserError("It cannot be counted further.")
        if done == work.arguments.get("cut_at"):
            raise RetryLaterError("The line was cut.", seconds=0.0)
        if done == work.arguments.get("hang_at"):
            time.sleep(600)
    return {"counted": done}

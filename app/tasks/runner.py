"""Starts the children of background work, takes down what they say, and settles how they ended.

``tick`` is called by the supervisor, which holds the lock of the data folder: one runner each.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.errors import NotFoundError
from app.settings import ROOT, Settings
from app.tasks import store
from app.tasks.kinds import KINDS, LANES, Lane
from app.tasks.work import log_path

log = logging.getLogger(__name__)

_WRITE_SECONDS = 0.5
_KILL_SECONDS = 8.0
_BACK_OFF = 2.0
_LONGEST_WAIT = 300.0
_KILLED_SECONDS = 1.0
_KILLED_TRIES = 4


class Runner:
    """Looks for work at each tick; a child each, a thread that listens to it each."""

    def __init__(self, app: Flask, settings: Settings, wake: Callable[[], None]) -> None:
        self._app, self._settings, self._wake = app, settings, wake
        self._children: dict[int, subprocess.Popen[str]] = {}
        self._lanes: dict[int, Lane] = {}
        self._told: dict[int, float] = {}
        self._unwritten: dict[int, tuple[str, dict[str, Any], int]] = {}
        """How work ended that the database could not take down: tried again at each tick."""
        self._adopted = False
        self.environment: dict[str, str] = {}
        """Added to each child's; tests point a child at a stand-in with it."""

    @property
    def busy(self) -> bool:
        """Whether any child runs."""
        return bool(self._children)

    def tick(self) -> None:
        """One round. Needs an application context."""
        if not self._adopted:
            self._adopt()
        for task_id, ended in list(self._unwritten.items()):
            with contextlib.suppress(NotFoundError):
                self._settle(task_id, *ended)
            del self._unwritten[task_id]
        for task_id in store.to_cancel() if self._children else ():
            self._end(task_id)
        busy = Counter(self._lanes.values())
        # A long queue in a full lane hides nothing that waits in another.
        free = [lane for lane, most in LANES.items() if busy[lane] < most]
        for task in store.startable(time.time(), free):
            lane: Lane = task.lane  # type: ignore[assignment]
            if task.kind in KINDS and busy[lane] < LANES[lane]:
                busy[lane] += 1
                self._start(task.id, task.kind, lane, json.loads(task.arguments))

    def _adopt(self) -> None:
        """Have what is said to run, and has no child of ours, begin again."""
        self._adopted = True
        try:
            count = store.requeue_orphans((*self._children, *self._unwritten))
        except SQLAlchemyError:
            self._adopted = False
            raise
        if count:
            log.warning("background work that goes on where it was: %d", count)

    def quit(self) -> None:
        """End the children; the next server has them begin again."""
        for child in list(self._children.values()):
            with contextlib.suppress(OSError):
                child.terminate()

    def _start(self, task_id: int, kind: str, lane: Lane, arguments: dict[str, Any]) -> None:
        if not store.claim(task_id):
            return
        path = log_path(self._settings, task_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as errors:
                child = subprocess.Popen(
                    [sys.executable, "-m", "app.tasks.child"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    env={**os.environ, **self._paths(), **self.environment},
                )
        except OSError as error:
            sentence = f"It could not be started: {error.strerror} ({path})."
            store.change(task_id, state="failed", error=sentence, finished=time.time())
            return
        self._children[task_id], self._lanes[task_id] = child, lane
        about = {"id": task_id, "run": KINDS[kind].run, "nice": KINDS[kind].nice}
        line = json.dumps({**about, "arguments": arguments})
        listener = threading.Thread(
            target=self._listen, args=(task_id, kind, child, line), name=f"task-{task_id}"
        )
        listener.daemon = True
        listener.start()

    def _paths(self) -> dict[str, str]:
        """So that the child finds the same places, also where a test made the settings."""
        return {
            "DATA_DIR": str(self._settings.data_dir),
            "DATABASE_URL": self._settings.database_url,
            "PYTHONUNBUFFERED": "1",
        }

    def _listen(self, task_id: int, kind: str, child: subprocess.Popen[str], line: str) -> None:
        last: dict[str, Any] = {}
        settled = False
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            with contextlib.suppress(OSError):
                child.stdin.write(line + "\n")
                child.stdin.flush()
            for words in _lines(child.stdout):
                if "result" in words or "error" in words:
                    last = words
                else:
                    self._note(task_id, words)
            child.wait()
            try:
                with self._app.app_context():
                    self._settle(task_id, kind, last, child.returncode)
            except SQLAlchemyError:
                # The disk may be full: without another try it would be shown as running for ever.
                self._unwritten[task_id] = kind, last, child.returncode
                log.exception("task %s: what became of it could not be written yet", task_id)
            settled = True
        except Exception:
            log.exception("task %s: what became of it could not be written", task_id)
        finally:
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            self._told.pop(task_id, None)
            self._lanes.pop(task_id, None)
            self._children.pop(task_id, None)
            if not settled:
                # A row that says "running" for ever would hold up its dataset, and the stop of the machine.
                self._adopted = False
            self._wake()

    def _note(self, task_id: int, words: dict[str, Any]) -> None:
        """Write progress down, at most twice a second."""
        now = time.monotonic()
        if now - self._told.get(task_id, 0.0) < _WRITE_SECONDS and words.get("done") != words.get(
            "total"
        ):
            return
        self._told[task_id] = now
        known = {k: words[k] for k in ("done", "total", "message", "unit") if k in words}
        try:
            with self._app.app_context():
                store.change(task_id, **known)
        except SQLAlchemyError as error:  # a full disk, say: how far it is, is no reason to end it
            log.warning("task %s: its progress could not be written: %s", task_id, error)

    def _settle(self, task_id: int, kind: str, last: dict[str, Any], code: int) -> None:
        task = store.get(task_id)
        now = time.time()
        if "result" in last:
            result = json.dumps(last["result"], ensure_ascii=False)
            store.change(task_id, state="done", result=result, error="", finished=now)
        elif task.wish == "cancel":
            store.change(task_id, state="cancelled", wish="", finished=now)
        elif "retry_in" in last and task.tries + 1 < KINDS[kind].tries:
            wait = min(_LONGEST_WAIT, last["retry_in"] * _BACK_OFF**task.tries)
            sentence = f"{last['error']} Trying again."
            store.change(
                task_id,
                state="waiting",
                error=sentence,
                tries=task.tries + 1,
                not_before=now + wait,
            )
        elif "error" in last:
            store.change(task_id, state="failed", error=last["error"], finished=now)
        elif code == 143 or code == -signal.SIGTERM:
            # Ended with the server: it waits for the next one.
            store.change(task_id, state="waiting")
        elif code < 0 and task.tries + 1 < min(KINDS[kind].tries, _KILLED_TRIES):
            # Somebody, or the kernel for its memory, killed the child alone: it can go on.
            store.change(
                task_id, state="waiting", error=f"{_how(code)} Trying again.",
                tries=task.tries + 1, not_before=now + _KILLED_SECONDS * _BACK_OFF**task.tries,
            )  # fmt: skip
        else:
            store.change(task_id, state="failed", error=_how(code), finished=now)

    def _end(self, task_id: int) -> None:
        child = self._children.get(task_id)
        if child is None:
            store.change(task_id, state="cancelled", wish="", finished=time.time())
            return
        with contextlib.suppress(OSError):
            child.terminate()

        def kill() -> None:
            # The child leads a session of its own: with it goes all that it started.
            with contextlib.suppress(OSError):
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(_KILL_SECONDS, kill)
        timer.daemon = True
        timer.start()


def _lines(pipe: IO[str]) -> Any:
    for line in pipe:
        with contextlib.suppress(ValueError):
            words = json.loads(line)
            if isinstance(words, dict):
                yield words


def _how(code: int) -> str:
    if code < 0:
        return f"Its process was killed by {signal.Signals(-code).name}; it may have run out of memory."
    return f"Its process ended with code {code} and said nothing; the log may tell more."

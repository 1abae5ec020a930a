"""Prints the log of a job as it grows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

from app.db import db
from app.jobs import logtail, service

POLL_SECONDS = 0.5


def follow(job_id: int, out: IO[str]) -> None:
    """Print from its newest attempt on, over all further ones, until the job is over. Needs an
    application context.
    """
    attempt, offset = 0, 0
    while True:
        db.session.expire_all()
        job = service.get(job_id)
        # Known before the log is read: what is written meanwhile is printed, too.
        newest, is_over = job.attempt, job.status.is_final
        if attempt and attempt != newest:
            _print(_log(job_id, attempt), offset, out, to_the_end=True)
        if attempt != newest:
            attempt, offset = newest, 0
        if attempt:
            offset = _print(_log(job_id, attempt), offset, out, to_the_end=is_over)
        if is_over:
            return
        time.sleep(POLL_SECONDS)


def _log(job_id: int, attempt: int) -> Path:
    return service.run_dir(job_id).attempt(attempt).log


def _print(log: Path, offset: int, out: IO[str], *, to_the_end: bool) -> int:
    """Print all whole lines after ``offset``; where the next ones begin. ``to_the_end`` prints an
    unfinished last one as well.
    """
    while True:
        chunk = logtail.read(log, offset, skip=False)
        for line in chunk.lines:
            print(line, file=out)
        if chunk.end == offset:
            break
        offset = chunk.end
    if to_the_end and chunk.live:
        print(chunk.live, file=out)
    out.flush()
    return offset

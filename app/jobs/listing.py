"""What the jobs table shows, in as few statements as it takes: every open page asks each two seconds.

Most rows stand drawn already (``app.web.kept_rows``), so of each job only what tells that is read;
``jobs_of`` reads those that have to be drawn.

Those few words of fifty jobs come as one row: SQLite gives way to other threads at each row that is
read, which costs a page a tenth of its time as soon as several are asked for at once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Select, bindparam, case, cast, func, or_, select

from app.db import connection
from app.jobs import store
from app.jobs.states import ACTIVE, JobState
from app.models import Attempt, Fact, Job, JobEvent

_JOB, _FACT = Job.__table__.c, Fact.__table__.c
# By the index of states: with the versions of all rows, ten thousand jobs cost 25 ms a poll.
_VERSIONS = select(func.sum(_JOB.version)).where(
    or_(*(_JOB.state == state.value for state in JobState if not state.is_final))
)
_NEWEST = select(func.max(JobEvent.__table__.c.id))
_STATES = select(
    _JOB.state,
    func.count(),
    _VERSIONS.correlate(None).scalar_subquery(),
    _NEWEST.scalar_subquery(),
).group_by(_JOB.state)
_QUEUE, _HELD, _CLUSTER = "queue", "held", store.CLUSTER_NOTICE
_FACTS = select(_FACT.key, _FACT.value).where(
    or_(_FACT.key == _QUEUE, _FACT.key == _HELD, _FACT.key == _CLUSTER)
)
_MICROSECONDS = 1_000_000
_LINES = (
    select(
        _JOB.id,
        cast(_JOB.created * _MICROSECONDS, BigInteger).label("at"),
        _JOB.version,
        _JOB.state,
    )
    .where(_JOB.id < bindparam("before"))
    .order_by(_JOB.id.desc())
    .limit(bindparam("most"))
)


def _in_one_row(lines: Select[Any]) -> Select[Any]:
    found = lines.subquery()
    return select(func.json_group_array(func.json_array(*found.c)))


_LINES_TOLD = _in_one_row(_LINES)
_ABOVE_ALL = 2**63 - 1
_ACTIVE = frozenset(state.value for state in ACTIVE)


class Line(NamedTuple):
    """A job as far as it has to be known to find its row. ``at``: ``moment`` of it."""

    id: int
    at: int
    version: int
    state: str

    @property
    def is_active(self) -> bool:
        """Whether it holds a slot."""
        return self.state in _ACTIVE


def moment(job: Job) -> int:
    """When it was made, in microseconds, as SQLite counts them."""
    return int(job.created * _MICROSECONDS)


@dataclass(frozen=True)
class Queue:
    """All jobs together: how many in which state, and what people have to know of the queue."""

    counts: dict[str, int]
    facts: dict[str, str]
    changes: tuple[int, int, int]
    """Sum of the versions of all that is not over, newest event, count of jobs.

    Another one after every visible change: a job that is over changes only with an event.
    """

    @property
    def paused(self) -> bool:
        """Whether a person paused it."""
        return self.facts.get(_QUEUE) == "paused"

    @property
    def held(self) -> str:
        """Why nothing may start now."""
        return self.facts.get(_HELD, "")

    @property
    def cluster(self) -> str:
        """What is remembered of the cluster."""
        return self.facts.get(_CLUSTER, "")

    @cached_property
    def version(self) -> str:
        """Changes whenever any row of the jobs table, or what is told above it, changed."""
        words = zlib.crc32(
            "\0".join((self.facts.get(_QUEUE, ""), self.held, self.cluster)).encode()
        )
        return ".".join(map(str, (*self.changes, words)))


def queue() -> Queue:
    """As it is now, in two statements, neither of which reads the rows of jobs that are over."""
    facts = {row[0]: row[1] for row in connection().execute(_FACTS)}
    rows = connection().execute(_STATES).all()
    counts = {row[0]: row[1] for row in rows}
    versions, newest = (rows[0][2] or 0, rows[0][3]) if rows else (0, 0)
    return Queue(counts, facts, (versions, newest, sum(counts.values())))


def lines(
    *, state: str | None = None, search: str = "", limit: int = 50, before: int | None = None
) -> Sequence[Line]:
    """Jobs, newest first, at most ``limit``, with a smaller id than ``before``."""
    statement = _LINES
    if state:
        statement = statement.where(_JOB.state == state)
    if search:
        statement = statement.where(_JOB.name.contains(search, autoescape=True))
    where = {"before": _ABOVE_ALL if before is None else before, "most": limit}
    return sorted(_read(statement, where), key=attrgetter("id"), reverse=True)


def _read(statement: Select[Any], where: dict[str, int]) -> Iterator[Line]:
    if connection().dialect.name != "sqlite":
        return map(Line._make, connection().execute(statement, where))
    told = _LINES_TOLD if statement is _LINES else _in_one_row(statement)
    return map(Line._make, json.loads(connection().execute(told, where).scalar_one()))


def jobs_of(ids: Collection[int]) -> dict[int, Job]:
    """These jobs, freshly read, less those that were deleted meanwhile."""
    return {job.id: job for job in store.some(ids)} if ids else {}


def seconds_of(ids: Collection[int]) -> dict[int, float]:
    """How long the attempts of these jobs ran, where there was one; for jobs that are over."""
    if not ids:
        return {}
    took = Attempt.ended - Attempt.started
    ran = func.sum(case((took > 0, took), else_=0.0)).label("ran")
    found = connection().execute(
        select(Attempt.job_id, ran)
        .where(Attempt.job_id.in_(ids), Attempt.ended.is_not(None))
        .group_by(Attempt.job_id)
    )
    return {row.job_id: row.ran for row in found}

"""The control table: one row of SQLite that the trainer reads its orders from.

Its answer to ``stop`` comes at the end of a step, between sample pictures and at phase
borders; while a model loads it does not look, so signals follow. At the end of a step it looks
for ``stop`` before ``save_now``: saving and stopping takes two orders, one after the other.
A run without a job's number has no table: signals alone end it.
"""

from __future__ import annotations

from pathlib import Path

from engines.base import ControlTable, StopStep

# The trainer writes every value as text and tests "stop == 1": INTEGER columns turn it back.
# ``asked`` is ours: the step at which we asked for a save.
SCHEMA = (
    "CREATE TABLE Job (id TEXT PRIMARY KEY, status TEXT, info TEXT, step INTEGER, "
    "speed_string TEXT, stop INTEGER DEFAULT 0, return_to_queue INTEGER DEFAULT 0, "
    "save_now INTEGER DEFAULT 0, sample_now INTEGER DEFAULT 0, asked INTEGER DEFAULT 0)"
)
INSERT = (
    "INSERT OR REPLACE INTO Job (id, status, info, step, speed_string) "
    "VALUES (?, 'queued', '', ?, '')"
)

_STOP = "UPDATE Job SET stop = 1 WHERE id = ?"
_SAVE = "UPDATE Job SET save_now = 1, asked = step WHERE id = ?"
_SAMPLE = "UPDATE Job SET sample_now = 1 WHERE id = ?"

# save_now is cleared just before the save begins, so 0 alone would be too early to stop. Once
# the save is announced, a stop comes after it; a short save may go unseen, so two steps count too.
_SAVED = (
    "SELECT status IN ('stopped', 'completed', 'error') OR "
    "(save_now = 0 AND (info = 'Saving model' OR step >= asked + 2)) FROM Job WHERE id = ?"
)
_SAMPLED = (
    "SELECT sample_now = 0 OR status IN ('stopped', 'completed', 'error') FROM Job WHERE id = ?"
)

STOP_GRACE = 20.0
SAVE_GRACE = 300.0
SAVING_GRACE = 120.0

_SIGNALS = (
    StopStep("signal", grace=15.0, signal="SIGINT"),
    StopStep("signal", grace=10.0, signal="SIGTERM"),
    StopStep("signal", grace=5.0, signal="SIGKILL"),
)


def table(path: Path, job_id: str, start_step: int) -> ControlTable | None:
    """The table as it has to be before the start, with every order cleared."""
    if not job_id:
        return None
    return ControlTable(path=path, schema=SCHEMA, insert=INSERT, parameters=(job_id, start_step))


def _order(path: Path, job_id: str, statement: str, grace: float, until: str | None) -> StopStep:
    return StopStep(
        "sqlite",
        grace=grace,
        path=str(path),
        statement=statement,
        parameters=(job_id,),
        until=until,
        until_parameters=(job_id,) if until else (),
    )


def stop(path: Path, job_id: str) -> tuple[StopStep, ...]:
    """Stop without saving; signals follow if it does not answer."""
    order = _order(path, job_id, _STOP, STOP_GRACE, None)
    return (order, *_SIGNALS) if job_id else _SIGNALS


def save_and_stop(path: Path, job_id: str) -> tuple[StopStep, ...]:
    """Save at the end of the step, then stop. The stop waits for a save under way."""
    if not job_id:
        return ()
    save = _order(path, job_id, _SAVE, SAVE_GRACE, _SAVED)
    return (save, _order(path, job_id, _STOP, SAVING_GRACE, None), *_SIGNALS)


def save_now(path: Path, job_id: str) -> tuple[StopStep, ...]:
    """Save at the end of the step and go on."""
    return (_order(path, job_id, _SAVE, SAVE_GRACE, _SAVED),) if job_id else ()


def sample_now(path: Path, job_id: str) -> tuple[StopStep, ...]:
    """Draw the prompts at the end of the step and go on."""
    return (_order(path, job_id, _SAMPLE, SAVE_GRACE, _SAMPLED),) if job_id else ()

"""The control table, driven by a stand-in that behaves as the trainer's source does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engines.ai_toolkit.builders import plan, spec

REPLAY = Path(__file__).parents[2] / "replay" / "ai_toolkit"


@pytest.fixture
def table() -> Iterator[sqlite3.Connection]:
    """The table of the usual plan, as the app makes it."""
    made = plan(spec(sampling={"prompts": ["a"]}))
    assert made.control is not None
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(made.control.schema)
        connection.execute(made.control.insert, made.control.parameters)
        yield connection


def orders():
    return plan(spec(sampling={"prompts": ["a"]}))


def trainer(table: sqlite3.Connection, **columns: object) -> None:
    """Write as the trainer does: every value as text."""
    for column, value in columns.items():
        table.execute(f"UPDATE Job SET {column} = ? WHERE id = '12'", (str(value),))


def column(table: sqlite3.Connection, name: str) -> object:
    return table.execute(f"SELECT {name} FROM Job").fetchone()[0]


def done(table: sqlite3.Connection, step) -> bool:
    return bool(table.execute(step.until, step.until_parameters).fetchone()[0])


def test_the_row_is_there_before_the_start_with_every_order_cleared(table):
    for name in ("stop", "return_to_queue", "save_now", "sample_now"):
        assert column(table, name) == 0
    assert column(table, "status") == "queued"


def test_the_trainers_text_comes_back_as_numbers(table):
    trainer(table, step=7, save_now=0)
    assert column(table, "step") == 7
    assert column(table, "save_now") == 0


def test_a_stop_is_an_order_followed_by_signals():
    stop = orders().stop
    assert [step.kind for step in stop] == ["sqlite", "signal", "signal", "signal"]
    assert [step.signal for step in stop[1:]] == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert all(step.grace > 0 for step in stop)


def test_saving_and_stopping_are_two_orders_for_the_engine_stops_first(table):
    save, stop, *signals = orders().save_and_stop
    trainer(table, status="running", info="Training", step=20)
    table.execute(save.statement, save.parameters)
    assert (column(table, "save_now"), column(table, "stop")) == (1, 0)
    assert not done(table, save)
    trainer(table, step=21, save_now=0)
    assert not done(table, save), "the flag is cleared before the save begins"
    trainer(table, info="Saving model")
    assert done(table, save)
    table.execute(stop.statement, stop.parameters)
    assert column(table, "stop") == 1
    assert [step.signal for step in signals] == ["SIGINT", "SIGTERM", "SIGKILL"]


def test_a_save_too_short_to_be_seen_is_known_by_the_steps_after_it(table):
    save = orders().save_now[0]
    trainer(table, status="running", info="Training", step=20)
    table.execute(save.statement, save.parameters)
    trainer(table, step=21, save_now=0)
    assert not done(table, save)
    trainer(table, step=22)
    assert done(table, save)


def test_a_save_of_its_own_is_not_taken_for_ours(table):
    save = orders().save_now[0]
    trainer(table, status="running", info="Saving model", step=20)
    table.execute(save.statement, save.parameters)
    assert not done(table, save)


@pytest.mark.parametrize("status", ["completed", "error", "stopped"])
def test_nobody_waits_for_a_trainer_that_has_ended(table, status):
    save, sample = orders().save_now[0], orders().sample_now[0]
    for step in (save, sample):
        table.execute(step.statement, step.parameters)
        assert not done(table, step)
    trainer(table, status=status)
    assert done(table, save)
    assert done(table, sample)


def test_without_prompts_there_is_no_sampling_on_demand():
    assert plan().sample_now == ()


def test_the_recorded_save_and_stop_is_understood(table):
    """Replays what a real trainer wrote; the order to stop comes when the real one was given."""
    save = orders().save_and_stop[0]
    asked = finished = None
    for row in map(json.loads, (REPLAY / "save_then_stop/events.jsonl").read_text().splitlines()):
        if row[1] == "SET save_now":
            table.execute(save.statement, save.parameters)
            asked = row[0]
        elif row[1] not in ("SET stop", "FILES", "EXIT"):
            names = ("status", "info", "step", "speed_string", "stop", "save_now")
            trainer(table, **dict(zip(names, row[1:], strict=True)))
            if asked and finished is None and done(table, save):
                finished = row
    assert finished is not None
    assert (finished[2], finished[3]) == ("Saving model", 21)

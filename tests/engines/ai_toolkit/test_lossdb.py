"""The recorded loss database of a 12-step run."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

from engines.ai_toolkit import lossdb

FILE = Path(__file__).parents[2] / "replay" / "ai_toolkit" / "loss_log.db"


def rows(first: int, most: int = 100) -> list[lossdb.Reading]:
    address = f"file:{FILE}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        return [lossdb.reading(row) for row in connection.execute(lossdb.QUERY, (first, most))]


def test_rows_are_counted_as_steps_done():
    found = rows(0)
    assert [row.step for row in found] == list(range(2, 13))
    assert found[0].loss is not None
    assert math.isclose(found[0].loss, 1.18104, rel_tol=1e-4)
    assert {row.learning_rate for row in found} == {1e-4}
    assert found[0].time > 1_700_000_000


def test_reading_goes_on_after_the_last_step_seen():
    seen = rows(0, 4)
    assert rows(seen[-1].step)[0].step == seen[-1].step + 1


def test_a_nought_in_place_of_nan_is_told_as_nan():
    assert math.isnan(lossdb.reading((4, 1.0, 0.0, 1e-4)).loss or 0)
    assert lossdb.reading((4, 1.0, None, 1e-4)).loss is None

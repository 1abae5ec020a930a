"""The bucket table follows each engine's own rule and tells what is cut off."""

from __future__ import annotations

import pytest

from engines import bucketing
from engines.spec import Buckets


def table(engine, *sizes, edge=1024, **buckets):
    return bucketing.table(engine, sizes, edge, Buckets(**buckets))


def test_a_picture_that_fits_loses_nothing():
    for engine in ("ai-toolkit", "kohya_ss"):
        (row,) = table(engine, (2048, 2048, 3))
        assert (row.width, row.height, row.pictures) == (1024, 1024, 3)
        assert (row.cropped, row.worst, row.enlarged) == (0.0, 0.0, 0)


def test_kohya_cuts_a_small_picture_to_whole_steps_and_does_not_enlarge_it():
    (row,) = table("kohya_ss", (700, 500, 1))
    assert (row.width, row.height) == (640, 448)
    assert row.worst == pytest.approx(1 - 640 * 448 / (700 * 500))
    assert row.enlarged == 0


def test_kohya_enlarges_where_told_to():
    (row,) = table("kohya_ss", (512, 512, 2), upscale=True)
    assert (row.width, row.height, row.enlarged) == (1024, 1024, 2)


def test_ai_toolkit_rounds_to_its_own_multiple():
    (row,) = bucketing.table("ai-toolkit", [(700, 500, 1)], 1024, Buckets(), divisor=32)
    assert row.width % 32 == row.height % 32 == 0
    assert 0 <= row.worst < 0.1


def test_the_mean_counts_each_picture_and_the_fullest_bucket_comes_first():
    rows = table("kohya_ss", (1000, 1000, 1), (1024, 1024, 9), (640, 448, 2))
    assert [row.pictures for row in rows] == [9, 2, 1]
    assert rows[0].cropped == 0.0


def test_buckets_switched_off_are_one_square():
    for engine in ("ai-toolkit", "kohya_ss"):
        (row,) = table(engine, (2048, 1024, 1), enabled=False)
        assert (row.width, row.height) == (1024, 1024)
        assert row.worst == pytest.approx(0.5, abs=0.01)


def test_a_picture_too_long_for_a_step_has_a_row_that_shows_it():
    rows = table("kohya_ss", (20000, 40, 1), edge=512)
    assert min(rows[0].width, rows[0].height) == 0
    assert rows[0].worst == 1.0

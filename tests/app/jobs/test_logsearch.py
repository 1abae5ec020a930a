"""A log is searched in pieces, by what a terminal would show, and read around any place."""

from __future__ import annotations

import os

import pytest

from app.jobs import logsearch
from app.jobs.logsearch import ERROR, around, before, pattern_of, search, stretch


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.txt"


def everything(path, wanted, **how):
    """All hits, as a page that goes on by itself gets them."""
    hits, start, asked = [], 0, 0
    while start is not None:
        found = search(path, wanted, start, **how)
        hits += found.hits
        start, asked = found.next, asked + 1
    return hits, asked


def test_text_is_found_whatever_its_case_also_beyond_ascii_and_never_as_a_pattern(log):
    log.write_text("eins\nNadel ÄRGER (1+1)\nzwei\n", "utf-8")
    for query in ("ärger", "nadel", "(1+1)"):
        (hit,) = search(log, pattern_of(query)).hits
        assert (hit.offset, hit.text) == (5, "Nadel ÄRGER (1+1)")
    assert search(log, pattern_of("1.1")).hits == ()


def test_a_search_goes_on_where_it_stopped_and_finds_each_line_once(log, monkeypatch):
    monkeypatch.setattr(logsearch, "BYTES_AT_ONCE", 64)
    log.write_text("".join(f"line {n} {'needle' if n % 7 == 0 else ''}\n" for n in range(100)))
    hits, asked = everything(log, pattern_of("needle"))
    assert [hit.text.split()[1] for hit in hits] == [str(n) for n in range(0, 100, 7)]
    assert asked > 10
    few, _ = everything(log, pattern_of("needle"), most=2)
    assert few == hits


def test_a_bar_that_was_overwritten_is_no_hit_and_a_hole_costs_nothing(log):
    with log.open("wb") as file:
        file.write(b"step 1\rstep 2\rstep 3\n")
        file.truncate(3 << 30)
        file.seek(0, 2)
        file.write(b"step 4\r\n")
    hits, asked = everything(log, pattern_of("step"))
    assert hits[0].text == "step 3"
    assert hits[-1].text.endswith("step 4")
    assert asked <= 3
    assert os.stat(log).st_blocks * 512 < 1 << 20


def test_no_log_and_an_offset_past_the_end_find_nothing(log):
    assert search(log, pattern_of("x")).hits == ()
    log.write_text("x\n")
    assert search(log, pattern_of("x"), 10_000).next is None


@pytest.mark.parametrize(
    "line",
    ["Traceback (most recent call last):", "ValueError: no", "2026 ERROR it broke",
     "torch.OutOfMemoryError: CUDA out of memory.", "loss is nan"],
)  # fmt: skip
def test_the_first_error_is_found(log, line):
    log.write_text(f"avr_loss=0.1, errors: 0\nterror\n{line}\nValueError: later\n")
    assert [hit.text for hit in search(log, ERROR, most=1).hits] == [line]


def test_the_lines_around_a_place_mark_it_and_lead_to_those_beside(log):
    log.write_text("".join(f"line {n:05}\n" for n in range(9000)))
    part = around(log, 11 * 5000)
    assert part.lines[part.mark] == "line 05000"
    assert stretch(log, part.later).lines[0] == f"line {int(part.lines[-1].split()[1]) + 1:05}"
    assert before(log, part.start).lines[-1] == f"line {int(part.lines[0].split()[1]) - 1:05}"
    assert around(log, 0).earlier is None
    assert around(log, log.stat().st_size - 11).later is None


def test_reading_on_passes_over_all_that_a_progress_bar_was_at_once(log):
    bar = "".join(f"\rstep {n} of 9999" for n in range(9_999))
    log.write_text(f"begin\n{bar}\nend\n")
    first = stretch(log, 0)
    assert first.lines == ("begin",)
    then = stretch(log, first.later)
    assert then.lines == ("step 9998 of 9999", "end")
    assert then.later is None
    back = before(log, log.stat().st_size - len("step 9998 of 9999\nend\n"))
    assert back.lines == ("begin",)


def test_reading_to_the_end_shows_the_bar_that_still_runs_and_offers_nothing_later(log):
    log.write_text("begin\n" + "".join(f"\rstep {n} of 9999" for n in range(5_000)))
    part = stretch(log, stretch(log, 0).later)
    assert part.lines == ("step 4999 of 9999",)
    assert part.later is None

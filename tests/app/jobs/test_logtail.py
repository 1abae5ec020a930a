"""A log is read by offset: every line once, bars collapsed, at the cost of the new bytes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.jobs.logtail import LONGEST_LIVE, MAX_BYTES, Chunk, Follower, read, settled

REPLAY = Path(__file__).parents[2] / "replay"
BAR = "steps:  25%|██▌       | {step}/12 [01:13<03:40, 24.45s/it, avr_loss=1.11]"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"")
    return path


def append(path, text):
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def follow(path, **how):
    """Everything from the top, as a reader that comes back gets it."""
    lines, offset = [], 0
    while True:
        chunk = read(path, offset, **how)
        lines += chunk.lines
        if chunk.end == offset:
            return lines, chunk
        offset = chunk.end


def test_no_log_yet_is_an_empty_answer(tmp_path):
    assert read(tmp_path / "none") == Chunk((), "", 0)
    assert read(tmp_path / "none" / "none", 70) == Chunk((), "", 0)
    assert Follower(tmp_path / "none").pieces(100) == []
    assert Follower(tmp_path / "none").finish() == []


def test_whole_lines_come_once_and_the_live_line_until_it_is_over(log):
    append(log, "one\n\ntwo\nthr")
    first = read(log)
    assert (first.lines, first.live, first.end) == (("one", "", "two"), "thr", 9)
    append(log, "ee\n")
    assert read(log, first.end).lines == ("three",)
    assert read(log, log.stat().st_size) == Chunk((), "", 15, 15, 0, 15)


def test_a_bar_is_shown_as_a_terminal_would_and_its_old_states_are_never_sent_again(log):
    append(log, "start\n")
    offset = sent = 0
    for step in range(2000):
        append(log, "\r" + BAR.format(step=step))
        chunk = read(log, offset)
        assert chunk.live == BAR.format(step=step)
        assert chunk.lines == (("start",) if step == 0 else ())
        offset, sent = chunk.end, sent + sum(map(len, chunk.lines)) + len(chunk.live)
        assert log.stat().st_size - offset < 200
    assert sent < log.stat().st_size
    append(log, "\nend\n")
    assert read(log, offset).lines == (BAR.format(step=1999), "end")


def test_a_bar_that_clears_itself_leaves_nothing(log):
    append(log, "\r50%|█    | 1/2\r              \rnext\n")
    assert read(log).lines == ("next",)


def test_a_bar_drawn_below_another_does_not_fill_the_log_with_lines(log):
    append(log, "main: 3/12")
    for step in range(300):
        append(log, f"\n\rGenerating: {step}/300\x1b[A")
    append(log, "\rmain: 4/12\n")
    assert follow(log, skip=False)[0][-1] == "main: 4/12"
    assert len(follow(log, skip=False)[0]) < 10


def test_a_reader_that_fell_behind_goes_on_at_the_tail_and_knows_what_it_missed(log):
    append(log, "".join(f"line {n}\n" for n in range(50_000)))
    chunk = read(log, 100)
    assert chunk.lines[-1] == "line 49999"
    assert all(line.startswith("line ") for line in chunk.lines)
    assert chunk.skipped == chunk.start - 100 > 400_000
    assert chunk.end == chunk.size == log.stat().st_size


def test_a_reader_that_wants_every_line_gets_every_line(log):
    append(log, "".join(f"line {n}\n" for n in range(50_000)))
    assert follow(log, skip=False)[0] == [f"line {n}" for n in range(50_000)]


def test_an_offset_past_the_end_means_a_new_log_and_starts_at_the_top(log):
    append(log, "new\n")
    assert read(log, 1000).lines == ("new",)
    assert read(log, -5).lines == ("new",)


def test_a_line_without_end_is_wrapped_and_never_sent_twice(log):
    text = "".join(f"{n:06} ü " for n in range(30_000))
    sent, offset = [], 0
    for at in range(0, len(text), 1000):
        append(log, text[at : at + 1000])
        chunk = read(log, offset)
        assert len(chunk.live.encode()) <= LONGEST_LIVE
        sent, offset = [*sent, *chunk.lines], chunk.end
    assert "".join(sent) + chunk.live == text


def test_one_endless_line_in_a_single_gulp_still_makes_progress(log):
    append(log, "x" * 1_000_000)
    lines, last = follow(log, skip=False)
    assert "".join(lines) == "x" * 1_000_000
    assert last.end == 1_000_000


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_characters_cut_at_the_edge_of_a_chunk_are_not_broken(log, cut):
    append(log, "x" * cut + "🐕" * 50_000)
    assert "\ufffd" not in "".join(read(log).lines) + read(log).live
    lines, last = follow(log, skip=False, limit=10_001)
    assert "".join(lines) + last.live == "x" * cut + "🐕" * 50_000


def test_bytes_that_are_no_text_do_not_stop_the_reader(log):
    append(log, b"\xff\xfe\x80" * 5000 + b"\nok\n")
    assert follow(log, skip=False)[0][-1] == "ok"


def test_codes_that_move_the_cursor_are_gone_and_colours_stay():
    assert settled(b"\x1b[2K\x1b[1;31mred\x1b[0m\x1b[A\x1b[?25l") == "\x1b[1;31mred\x1b[0m"
    assert settled(b"\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\ \x1b]0;title\x07t") == "link t"


def hollow(path, before, hole, after):
    """A log whose middle was given back to the disk."""
    with path.open("wb") as file:
        file.write(before)
        file.seek(hole, 1)
        file.write(after)


@pytest.mark.parametrize("hole", [5000, 200_000, 3_000_000_000])
def test_a_removed_middle_is_one_line_and_costs_nothing(log, hole):
    hollow(log, b"first\nbegun", hole, b"tail\nlast\n")
    begin = time.perf_counter()
    lines, _ = follow(log, skip=False)
    assert time.perf_counter() - begin < 1
    assert lines == ["first", "begun", f"... {hole} bytes removed ...", "tail", "last"]


def test_a_tail_that_begins_in_a_removed_middle_says_so(log):
    hollow(log, b"first\n", 1_000_000, b"last\n")
    chunk = read(log)
    assert len(chunk.lines) == 2
    assert chunk.lines[0].endswith("bytes removed ...")
    assert chunk.lines[1] == "last"


def test_a_log_that_ends_in_a_hole_is_read_to_its_end(log):
    hollow(log, b"first\n", 0, b"")
    os.truncate(log, 5_000_000)
    lines, chunk = follow(log, skip=False)
    assert lines == ["first", "... 4999994 bytes removed ..."]
    assert chunk.end == 5_000_000
    append(log, "on\n")
    assert read(log, chunk.end).lines == ("on",)


def test_five_gigabytes_cost_no_more_than_five_kilobytes(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    tail = "".join(f"{n:040}\n" for n in range(5000)).encode()
    small.write_bytes(tail[:5000])
    hollow(large, b"", 5_000_000_000, tail)

    def cost(path):
        end = path.stat().st_size
        times = []
        for _ in range(200):
            begin = time.perf_counter()
            read(path, end - 100)
            times.append(time.perf_counter() - begin)
        return min(times)

    assert cost(large) < 3 * cost(small)


def test_the_pieces_of_a_parser_are_whole_and_without_codes(log):
    follower = Follower(log)
    append(log, "one\rtwo\r\n\n\x1b[32mthr")
    assert follower.pieces(1000) == ["one", "two"]
    append(log, "ee\x1b[0m\nfour")
    assert follower.pieces(1000) == ["three"]
    assert follower.finish() == ["four"]
    assert follower.offset == log.stat().st_size


def test_a_parser_that_starts_again_at_its_offset_misses_and_repeats_nothing(log):
    append(log, "one\ntwo\nthr")
    first = Follower(log)
    assert first.pieces(1000) == ["one", "two"]
    append(log, "ee\n")
    assert Follower(log, first.offset).pieces(1000) == ["three"]


def test_a_parser_of_a_log_that_was_cut_starts_at_the_top(log):
    append(log, "one\ntwo\n")
    follower = Follower(log)
    follower.pieces(1000)
    log.write_text("new\n")
    assert follower.pieces(1000) == ["new"]


def test_a_parser_keeps_little_of_an_endless_line_and_jumps_over_a_hole(log):
    append(log, b"x" * 3_000_000)
    follower = Follower(log)
    got = "".join(piece for _ in range(10) for piece in follower.pieces(500_000))
    assert 2_000_000 < len(got) <= 3_000_000
    hollow(log, b"one\n", 2_000_000_000, b"two\n")
    follower = Follower(log)
    assert [piece for _ in range(5) for piece in follower.pieces(100_000)] == ["one", "two"]


def test_the_end_of_a_flood_is_read_when_the_writer_is_gone(log):
    line = b"a flood of warnings that says the same again\n"
    append(log, line * 400_000 + b"last 12/12")
    follower = Follower(log)
    pieces = follower.finish()
    assert pieces[-1] == "last 12/12"
    assert 100_000 < len(pieces) < 200_000
    assert follower.offset == log.stat().st_size


TEXT = st.lists(st.sampled_from(["a", "ü", "🐕", "\n", "\r", "\r\n", " ", "step"]), max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6))
def test_however_it_arrives_the_lines_are_the_same(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_bytes(b"")
    lines, offset, pieces = [], 0, []
    follower = Follower(path)
    for part in parts:
        append(path, "".join(part))
        chunk = read(path, offset)
        lines, offset = [*lines, *chunk.lines], chunk.end
        pieces += follower.pieces(7)
    text = "".join(map("".join, parts))
    whole = text.split("\n")
    assert lines == [line.rstrip("\r").rpartition("\r")[2] for line in whole[:-1]]
    assert chunk.live == whole[-1].rstrip("\r").rpartition("\r")[2]
    pieces += follower.finish()
    assert pieces == [p for p in text.replace("\r", "\n").split("\n") if p]


@pytest.mark.parametrize("name", ["success_pipe", "sdxl_full", "sigint", "dbjob"])
def test_a_real_log_has_few_lines_and_loses_none_of_its_sentences(tmp_path, name):
    source = (REPLAY / "ai_toolkit" / name / "log.raw").read_bytes()
    path = tmp_path / "log.txt"
    path.write_bytes(source)
    lines, last = follow(path, skip=False)
    assert last.end + len(last.live.encode()) <= len(source)
    told = "\n".join(lines)
    assert "\x1b[A" not in told
    assert "Saved checkpoint" in told or name == "sigint"
    assert max(map(len, lines)) < 1000
    assert len(told) < MAX_BYTES

"""Colours of a terminal become classes, and whatever a log holds is only text."""

from __future__ import annotations

from app.web.loglines import block, line, severity


def test_colours_become_classes_and_last_until_they_are_reset():
    assert line("\x1b[1;31mbad\x1b[0m good") == '<span class="a-bold a-red">bad</span> good'
    assert line("\x1b[38;5;46mx") == '<span class="a-green">x</span>'
    assert line("\x1b[48;2;255;0;0mx\x1b[49my") == '<span class="a-on-red">x</span>y'
    assert block(["\x1b[32mone", "two\x1b[m", "three"]) == (
        '<span class="a-green">one</span>\n<span class="a-green">two</span>\nthree\n'
    )


def test_markup_in_a_log_is_text_also_within_and_between_codes():
    assert line("<script>\x1b[31m\"&'</b>") == (
        '&lt;script&gt;<span class="a-red">&#34;&amp;&#39;&lt;/b&gt;</span>'
    )
    for torn in ("\x1b[38;5m", "\x1b[;;;m", "\x1b[38;2;1m", "\x1b[999m"):
        assert line(f"{torn}text").endswith("text")


def test_warnings_and_errors_stand_out_and_a_line_can_be_marked():
    assert severity("RuntimeError: x") == "l-error"
    assert severity("FutureWarning: y") == "l-warning"
    assert severity("steps: 1/2, avr_loss=0.1") == ""
    assert block(["a", "b"], 1) == 'a\n<mark id="mark" tabindex="-1">b\n</mark>'

"""The reader behind ``scripts/coverage.sh``."""

from __future__ import annotations

from app.settings import ROOT
from tests.support.failure_lines import failure_lines, rows

SOURCE = """\
def read(path):
    try:
        return path.read_text()
    except OSError as error:
        if error.errno == 2:
            return ""
        raise Lost(
            path
        ) from error
"""


def test_bodies_of_except_and_every_raise_handle_a_failure() -> None:
    assert failure_lines(SOURCE) == {5, 6, 7}
    assert failure_lines("raise SystemExit(main())") == {1}
    assert failure_lines("try:\n    a()\nfinally:\n    b()") == set()


def test_what_is_left_out_of_the_measure_counts_neither_as_run_nor_as_not_run() -> None:
    source = (ROOT / "app/delivery/rclone.py").read_text("utf-8")
    first, second, *_ = sorted(failure_lines(source))
    report = {"files": {"app/delivery/rclone.py": {
        "missing_lines": [first], "executed_lines": [second],
    }}}  # fmt: skip
    assert list(rows(report)) == [("app/delivery/rclone.py", 2, [first])]

"""Regular expressions of people, run where a wild one hurts nobody: in a process with a time limit.

``re`` holds the interpreter while it searches, so that a pattern such as ``(a+)+$`` would stop the
whole dashboard, not one request.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from app.errors import UserError

SECONDS = 4.0
LONGEST = 500

_PROGRAM = """
import json, re, sys
asked = json.load(sys.stdin)
pattern = re.compile(asked["pattern"])
json.dump([pattern.sub(asked["replacement"], text) for text in asked["texts"]], sys.stdout)
"""


class PatternError(UserError):
    """The pattern or its replacement cannot be used; the sentence says why."""

    status = 422


def check(pattern: str, replacement: str) -> None:
    """Raises PatternError with a sentence where the two are no pattern and replacement."""
    if not pattern:
        raise PatternError("Write a pattern to search for.")
    if len(pattern) > LONGEST:
        raise PatternError(f"A pattern has at most {LONGEST} characters.")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"The pattern cannot be read: {error}.") from error
    try:
        re.sub(r"x", replacement, "") if compiled.groups == 0 else None
        _groups(compiled, replacement)
    except (re.error, IndexError, KeyError) as error:
        raise PatternError(f"The replacement cannot be used: {error}.") from error


def _groups(compiled: re.Pattern[str], replacement: str) -> None:
    """Raises re.error if the replacement names a group that the pattern does not have."""
    names = "".join(f"(?P<{name}>)" for name in compiled.groupindex)
    rest = "()" * max(0, compiled.groups - len(compiled.groupindex))
    re.compile(names + rest).sub(replacement, "")


def substitute(
    pattern: str, replacement: str, texts: Sequence[str], seconds: float = SECONDS
) -> list[str]:
    """Every text with what the pattern finds replaced. Raises PatternError, also when time is up."""
    check(pattern, replacement)
    if not texts:
        return []
    asked = json.dumps({"pattern": pattern, "replacement": replacement, "texts": list(texts)})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=asked, capture_output=True, text=True, timeout=seconds, check=False,
            encoding="utf-8",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PatternError(
            f"This pattern takes more than {seconds:g} s on these captions, so it was not used. "
            "Repeats inside repeats, such as (a+)+, are the usual reason."
        ) from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [
            f"its process ended with {done.returncode}"
        ]
        raise PatternError(f"The pattern could not be used: {last[0]}. Nothing was changed.")
    found: list[str] = json.loads(done.stdout)
    return found

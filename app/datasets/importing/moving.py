"""Brings what was staged into the dataset, by rename. What to do is written down first, so that a
move that was killed is finished by the next try."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.datasets import captions
from app.datasets.importing.arranging import Move

_PLAN = "plan.json"


def write_plan(staging: Path, moves: Sequence[Move], rest: dict[str, Any]) -> None:
    """Write down what moves where, atomically; ``rest`` is kept beside it."""
    plan = {
        "moves": [[str(m.path.relative_to(staging)), m.name, m.replaces] for m in moves],
        **rest,
    }
    new = staging / f"{_PLAN}.new"
    new.write_text(json.dumps(plan, ensure_ascii=False), "utf-8")
    new.replace(staging / _PLAN)


def read_plan(staging: Path) -> dict[str, Any] | None:
    """The plan of an earlier try; None if it did not come so far."""
    try:
        found: dict[str, Any] = json.loads((staging / _PLAN).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


def carry_out(
    root: Path, staging: Path, plan: dict[str, Any], tell: Callable[[int, int], None]
) -> list[str]:
    """Do the moves that are not done yet. What appeared meanwhile is not overwritten, nor a caption that
    was changed since it was looked at: returns the names of these."""
    made, left = {root}, []
    before = {step["name"]: step["before"] for step in plan.get("replaced", ())}
    for done, (source, name, replaces) in enumerate(plan["moves"], 1):
        path, target = staging / source, root / name
        if replaces and path.exists() and _is_other(target, before.get(name)):
            left.append(name)
        elif path.exists():
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            path.rename(target if replaces else _free(target))
        tell(done, len(plan["moves"]))
    return left


def _is_other(caption: Path, before: str | None) -> bool:
    """Whether the caption is there and no longer says what it did; None: nobody knows what that was."""
    try:
        return before is not None and captions.guess(caption.read_bytes())[0] != before
    except FileNotFoundError:
        return False


def _free(target: Path) -> Path:
    chosen, number = target, 2
    while chosen.exists() or chosen.is_symlink():
        chosen, number = target.with_name(f"{target.stem} ({number}){target.suffix}"), number + 1
    return chosen

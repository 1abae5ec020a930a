"""When the machine is given back: a pure rule from what is so to what is to be done.

``decide`` knows no clock, no database and no network. ``now`` is any clock in seconds; time is
counted in steps of at most a minute, so that a clock that jumps, or a program that was not
running, never makes the machine idle for longer than somebody watched it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pydantic import Field

from app.preferences import Preferences
from app.vast.client import Outcome
from app.vast.keeper import Act

LONGEST_STEP = 60.0
LONGEST_WAIT = 60.0
LATE_SECONDS = 600.0
"""After so long without success it is tried every ten minutes, and said on every page."""
SETTLE_SECONDS = 90.0
"""So long after Vast said yes the machine should be gone."""
GRACE_AFTER_RESTART = 600.0
"""At least so long after a machine that stopped itself was started again."""
SOON_SECONDS = 900.0

Phase = Literal["off", "busy", "idle", "held", "capped", "stopping", "ordered", "rehearsed"]


class MeterPreferences(Preferences):
    """What a person chose on the Costs page. Money in dollars, as Vast counts."""

    price: float | None = Field(default=None, ge=0, le=1000)
    policy: Literal["off", "stop", "destroy"] = "off"
    grace_minutes: float = Field(default=30, ge=1, le=1440)
    max_cost: float | None = Field(default=None, gt=0, le=100_000)
    max_hours: float | None = Field(default=None, gt=0, le=10_000)
    dry_run: bool = False

    @property
    def watches(self) -> bool:
        """Whether the machine may be stopped at all."""
        return self.policy != "off" or self.max_cost is not None or self.max_hours is not None


class Undelivered(NamedTuple):
    """What is wanted as a copy and not verified; both empty where all is, or nothing is wanted."""

    holds: str = ""
    """What the machine has to wait for, as a sentence."""
    stays: str = ""
    """What no waiting would copy, as words: the machine is stopped all the same, but never destroyed."""


ALL_COPIED = Undelivered()


@dataclass(frozen=True)
class Facts:
    """What is so now. ``hours`` and ``cost`` are of this start of the machine."""

    running: int = 0
    waiting: int = 0
    """Queued jobs that will start by themselves."""
    parked: int = 0
    """Queued jobs that wait for a person: held, or the queue is paused."""
    tasks: int = 0
    """Downloads, uploads, imports, installations."""
    failed: int = 0
    """Jobs that failed since the machine was started."""
    undelivered: Undelivered = ALL_COPIED
    touched: bool = False
    """Somebody changed something since the last look."""
    hours: float = 0.0
    cost: float | None = None
    price: float | None = None
    able: bool = True
    """Whether there is an instance and a key."""
    sentinel: Literal["", "ours", "earlier"] = ""
    """Whether this start, or an earlier one, wrote down that it stops itself."""
    ordering: bool = False
    answer: Outcome | None = None
    wish: Literal["", "keep", "now"] = ""


@dataclass(frozen=True)
class State:
    """Where the matter stands; ``left`` is for people: seconds until the next thing happens."""

    phase: Phase = "off"
    last: float | None = None
    idle: float = 0.0
    extra: float = 0.0
    """Seconds that "keep running" added to the grace."""
    over: float = 0.0
    """Seconds that it added to the cap."""
    left: float | None = None
    cap_left: float | None = None
    act: Act = "stop"
    reason: str = ""
    problem: str = ""
    since: float = 0.0
    next_try: float = 0.0
    tries: int = 0
    late: bool = False
    asked: bool = False

    @property
    def holds_queue(self) -> bool:
        """Whether no job may start: the machine is about to be gone."""
        return self.phase in ("capped", "stopping", "ordered")


@dataclass(frozen=True)
class Action:
    """What is to be done: write or forget the sentinel, send the order, have running jobs save and stop."""

    do: Literal["write", "forget", "order", "save"]
    text: str = ""
    act: Act = "stop"


Decision = tuple[State, tuple[Action, ...]]
FORGET = Action("forget")


def decide(state: State, now: float, facts: Facts, rules: MeterPreferences) -> Decision:
    """The next state, and what is to be done for it."""
    step = 0.0 if state.last is None else min(max(now - state.last, 0.0), LONGEST_STEP)
    state = replace(state, last=now, cap_left=_cap_left(state, facts, rules))
    forget = (FORGET,) if facts.sentinel == "ours" else ()
    if not facts.able or not (rules.watches or facts.wish == "now" or _leaving(state)):
        return State("off", now), forget
    if facts.wish == "keep":
        return _kept(state, facts, rules), forget
    capped = state.cap_left is not None and state.cap_left <= 0
    if _leaving(state) or facts.wish == "now":
        return _leave(state, now, facts, rules)
    if capped:
        return _at_the_cap(state, now, facts, rules)
    if facts.running or facts.waiting or facts.tasks:
        gone = (FORGET,) if facts.sentinel == "ours" or (facts.sentinel and facts.running) else ()
        return replace(_calm(state), phase="busy", idle=0.0, extra=0.0), gone
    if rules.policy == "off":
        return replace(_calm(state), phase="busy"), ()
    return _idle(state, step, facts, rules)


def _leaving(state: State) -> bool:
    return state.phase in ("stopping", "ordered")


def _calm(state: State) -> State:
    """Without what belongs to a stop under way."""
    return replace(
        state, left=None, reason="", problem="", since=0.0, next_try=0.0, tries=0, late=False, asked=False
    )  # fmt: skip


def _cap_left(state: State, facts: Facts, rules: MeterPreferences) -> float | None:
    """Seconds until the first of the caps is reached; None without one."""
    found = []
    if rules.max_hours is not None:
        found.append((rules.max_hours - facts.hours) * 3600)
    if rules.max_cost is not None and facts.cost is not None and facts.price:
        found.append((rules.max_cost - facts.cost) / facts.price * 3600)
    return min(found) + state.over if found else None


def _kept(state: State, facts: Facts, rules: MeterPreferences) -> State:
    """Keep running: a grace more, for the countdown and for the cap where it is near."""
    more = rules.grace_minutes * 60
    near = state.cap_left is not None and state.cap_left < SOON_SECONDS
    calm = replace(_calm(state), phase="busy" if facts.running else "idle")
    over = state.over + (more - min(0.0, state.cap_left or 0.0) if near else 0.0)
    spent = min(state.idle, rules.grace_minutes * 60 + state.extra)
    kept = replace(calm, idle=spent, extra=state.extra + more, over=over)
    return replace(kept, left=_grace(kept, facts, rules) - kept.idle)


def _grace(state: State, facts: Facts, rules: MeterPreferences) -> float:
    grace = rules.grace_minutes * 60
    if facts.sentinel == "earlier":
        grace = max(grace, GRACE_AFTER_RESTART)
    return grace + state.extra


def _idle(state: State, step: float, facts: Facts, rules: MeterPreferences) -> Decision:
    idle = 0.0 if facts.touched else state.idle + step
    calm = replace(_calm(state), phase="idle", idle=idle, act=_act(facts, rules))
    state = replace(calm, reason=facts.undelivered.stays)
    left = _grace(state, facts, rules) - idle
    if facts.sentinel == "ours" and not facts.touched:
        # The grace was over once before; the program was restarted in the middle of the stop.
        left = 0.0
    if left > 0:
        return replace(state, left=left), (FORGET,) if facts.sentinel == "ours" else ()
    if why := _held_by(facts, state.act):
        return replace(state, phase="held", reason=why), ()
    minutes = "a minute" if rules.grace_minutes == 1 else f"{rules.grace_minutes:g} minutes"
    return _begin(state, f"nothing ran for {minutes}", facts, rules)


def _act(facts: Facts, rules: MeterPreferences) -> Act:
    """A machine on which a job failed is stopped, never destroyed: somebody will want to look.

    Nor is one that holds what could not be copied.
    """
    looks = facts.failed or facts.undelivered.stays
    return "destroy" if rules.policy == "destroy" and not looks else "stop"


def _held_by(facts: Facts, act: Act) -> str:
    if facts.undelivered.holds:
        return facts.undelivered.holds
    if act == "destroy" and facts.parked:
        many = "A job waits" if facts.parked == 1 else f"{facts.parked} jobs wait"
        return f"{many} in the queue for you, and destroying the machine would delete it."
    return ""


def _at_the_cap(state: State, now: float, facts: Facts, rules: MeterPreferences) -> Decision:
    what = (
        f"${rules.max_cost:g}" if rules.max_cost is not None and facts.cost is not None
        and facts.cost >= rules.max_cost else f"{rules.max_hours or facts.hours:g} hours"
    )  # fmt: skip
    reason = f"the cap of {what} is reached"
    state = replace(state, phase="capped", left=None, reason=reason, act=_act(facts, rules))
    if facts.running:
        save = () if state.asked or rules.dry_run else (Action("save", reason),)
        return replace(state, asked=True), save
    # What waits to run is on the disk, which a stop keeps.
    held = facts.undelivered.holds
    if held or (state.act == "destroy" and (facts.waiting or facts.parked)):
        why = held or "Jobs wait in the queue, and destroying would delete them."
        return replace(state, reason=f"{reason}; {why}", problem=why), ()
    return _begin(replace(state, last=now), reason, facts, rules)


def _begin(state: State, reason: str, facts: Facts, rules: MeterPreferences) -> Decision:
    reason = "; ".join(filter(None, (reason, facts.undelivered.stays)))
    if rules.dry_run:
        return replace(state, phase="rehearsed", reason=reason, left=None), ()
    now = state.last or 0.0
    going = replace(
        state, phase="stopping", reason=reason, left=None, since=now, next_try=now, tries=0, problem="", late=False
    )  # fmt: skip
    going, orders = _leave_on(going, now, facts)
    return going, (Action("write", reason), *orders)


def _leave(state: State, now: float, facts: Facts, rules: MeterPreferences) -> Decision:
    """A stop is under way, or a person wants it now."""
    if not _leaving(state):
        return _begin(replace(state, act="stop"), "somebody pressed Stop now", facts, rules)
    capped = state.cap_left is not None and state.cap_left <= 0
    if state.phase == "stopping" and not capped and (facts.running or facts.waiting):
        # Work came while Vast was not listening: the machine is wanted again.
        return replace(_calm(state), phase="busy", idle=0.0, extra=0.0), (FORGET,)
    return _leave_on(state, now, facts)


def _leave_on(state: State, now: float, facts: Facts) -> Decision:
    late = now - state.since >= LATE_SECONDS
    if facts.answer is not None:
        wait = LATE_SECONDS if late else min(2.0 ** (state.tries + 1), LONGEST_WAIT)
        ok = facts.answer.ok
        state = replace(
            state, phase="ordered" if ok else "stopping", tries=state.tries + 1,
            next_try=now + (max(wait, SETTLE_SECONDS) if ok else wait),
            problem="" if ok else facts.answer.sentence,
        )  # fmt: skip
    state = replace(state, late=late, left=max(0.0, state.next_try - now))
    if facts.ordering or now < state.next_try:
        return state, ()
    problem = (
        "Vast said yes, but the machine still runs." if state.phase == "ordered" else state.problem
    )
    # The next answer sets the next time; this one keeps two orders apart if none comes.
    asked = replace(state, problem=problem, next_try=now + LONGEST_WAIT, left=0.0)
    return asked, (Action("order", act=state.act),)

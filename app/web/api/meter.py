"""What the machine costs, and when it is given back."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from app import preferences
from app.errors import ConflictError
from app.jobs import describing, giving_back, meter, pricing
from app.platform import current
from app.vast import MeterPreferences
from app.web.api.registry import Answer, Given, WrongQuery, operation

TAG = "Costs"


class PolicyJson(Answer):
    """When this machine is stopped by itself. Money in dollars; null: not set."""

    policy: Literal["off", "stop", "destroy"]
    grace_minutes: float
    max_cost: float | None
    max_hours: float | None
    dry_run: bool
    price: float | None = Field(description="The price of an hour as typed in.")


class PolicyBody(MeterPreferences):
    """When this machine is stopped by itself, whole: what is left out is set to its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirmation: str = Field("", max_length=20, description="The word destroy, to choose that.")


class StopQuery(Given):
    """How it is stopped."""

    anyway: bool = Field(False, description="Also where files were not copied and verified.")


class JobCostJson(Answer):
    """What one job took of this start of the machine."""

    job: int
    name: str
    seconds: float
    cost: float | None


class StopJson(Answer):
    """How the stop of the machine stands."""

    able: bool = Field(description="Whether this program has a key to stop the machine with.")
    phase: str = Field(description="off, busy, idle, held, capped, stopping, ordered, rehearsed.")
    act: Literal["stop", "destroy"]
    reason: str
    problem: str
    seconds_left: float | None = Field(description="Until it is stopped, where nothing comes up.")
    seconds_to_cap: float | None


class MeterJson(Answer):
    """This start of the machine: time, money, idleness. Costs are null without a price."""

    since: str | None
    seconds: float
    price: float | None
    price_source: str
    cost: float | None
    idle_seconds: float
    idle_cost: float | None
    jobs: list[JobCostJson] = Field(description="The newest 30 that ran.")
    stop: StopJson
    policy: PolicyJson


@operation("GET /meter", tag=TAG, answer=MeterJson)
def show() -> MeterJson:
    """Show cost, idleness and when the machine is stopped."""
    platform = current()
    now, state = meter.read(platform), platform.supervisor.autostop.state
    return MeterJson(
        since=describing.iso(now.since),
        price_source=pricing.source_of_price(platform),
        jobs=[
            JobCostJson(job=row.job.id, name=row.job.name, seconds=row.seconds, cost=row.cost)
            for row in now.jobs
        ],
        stop=StopJson(
            able=platform.vast.client is not None,
            phase=state.phase,
            act=state.act,
            reason=state.reason,
            problem=state.problem,
            seconds_left=state.left,
            seconds_to_cap=state.cap_left,
        ),
        policy=_policy(),
        **{
            name: getattr(now, name)
            for name in ("seconds", "price", "cost", "idle_seconds", "idle_cost")
        },
    )


def _policy() -> PolicyJson:
    return PolicyJson(**preferences.load(MeterPreferences).model_dump())


@operation("PUT /meter/policy", tag=TAG, answer=PolicyJson, body=PolicyBody)
def set_policy(body: PolicyBody) -> PolicyJson:
    """Set when the machine is stopped by itself. Choosing destroy wants its confirmation."""
    wanted = MeterPreferences(**body.model_dump(exclude={"confirmation"}))
    if sentence := giving_back.set_rules(current(), wanted, body.confirmation):
        raise WrongQuery({"confirmation": sentence})
    return _policy()


@operation("POST /meter/keep", tag=TAG, answer=MeterJson, status=202)
def keep() -> MeterJson:
    """Keep the machine running for another grace; the supervisor takes it up at once."""
    giving_back.keep_running(current())
    return show()


@operation("POST /meter/stop", tag=TAG, answer=MeterJson, query=StopQuery, status=202,
           errors=(409,))  # fmt: skip
def stop(query: StopQuery) -> MeterJson:
    """Stop the machine now, where no job runs, nothing is being copied and all of it is safe."""
    if missing := giving_back.stop_now(current(), anyway=query.anyway):
        raise ConflictError(missing)
    return show()

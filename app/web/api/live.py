"""What is drawn and counted while things run: curves and the host."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, RootModel

from app.jobs import curves, service
from app.machine import Host
from app.platform import current
from app.web import curves as page
from app.web.api.registry import Answer, Given, WrongQuery, operation

_MOST = 2**63 - 1


class CurvesQuery(Given):
    """Which curves, and how finely."""

    series: str = Field(curves.LOSS, max_length=2000, description="Names, comma-separated.")
    start: float | None = Field(None, alias="from", allow_inf_nan=False, description="First x.")
    end: float | None = Field(None, alias="to", allow_inf_nan=False, description="Last x.")
    width: int = Field(800, ge=50, le=curves.MOST_WIDTH, description="About so many points.")
    axis: Literal["step", "time"] = "step"
    since: int = Field(
        0, ge=0, le=_MOST, description="``count`` of the last answer, for one series: what follows."
    )


class CurveJson(Answer):
    """Points in order; y is null where it was no number. ``seams``: x and attempt of each start."""

    x: list[float]
    y: list[float | None]
    seams: list[list[float]]
    count: int = Field(description="Points of the series so far; ``since`` of the next question.")
    since: int = Field(description="The points follow the first so many; 0: this is the whole.")


class CurvesJson(Answer):
    """The names there are, and the curves that were asked for (at most 12)."""

    version: str
    final: bool
    names: list[str]
    series: dict[str, CurveJson]


class HostJson(RootModel[Host]):
    """Bytes, bytes per second, and percent of the processors; null: not told."""


@operation("GET /jobs/<int:job_id>/curves", tag="Outputs", answer=CurvesJson, query=CurvesQuery)
def show(job_id: int, query: CurvesQuery) -> CurvesJson:
    """Read curves, thinned to a width so that peaks stay.

    With ``since`` only the points that were added are sent, none left out; the whole curve comes
    again (``since`` 0) where another attempt began or more was added than the width holds.
    """
    job = service.get(job_id)
    found = page.of(job)
    names = [n for n in query.series.split(",") if n][: page.MOST_AT_ONCE]
    if query.since and (len(names) > 1 or query.start is not None or query.end is not None):
        raise WrongQuery({"since": "Only for one series as a whole, without from and to."})
    start = -math.inf if query.start is None else query.start
    end = math.inf if query.end is None else query.end
    drawn = {}
    version = found.version()  # before the points are read: what comes meanwhile is new then
    for name in names:
        curve = page.drawn_from(
            found, name, query.axis, query.since, start=start, end=end, width=query.width
        )
        drawn[name] = CurveJson.model_validate(curve)
    return CurvesJson(version=version, final=job.status.is_final, names=found.names(), series=drawn)


@operation("GET /host", tag="Machine", answer=HostJson)
def host() -> HostJson:
    """Show processor, memory, disk and network as they are now."""
    return HostJson(current().machine.latest().host)

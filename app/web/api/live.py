"""What is drawn and counted while things run: curves and the host."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, Field, RootModel

from app.jobs import curves, service
from app.machine import Host
from app.platform import current
from app.web import curves as page
from app.web.api.registry import Given, operation


class CurvesQuery(Given):
    """Which curves, and how finely."""

    series: str = Field(curves.LOSS, max_length=2000, description="Names, comma-separated.")
    start: float | None = Field(None, alias="from", allow_inf_nan=False, description="First x.")
    end: float | None = Field(None, alias="to", allow_inf_nan=False, description="Last x.")
    width: int = Field(800, ge=50, le=curves.MOST_WIDTH, description="About so many points.")
    axis: Literal["step", "time"] = "step"


class CurveJson(BaseModel):
    """Points in order; y is null where it was no number. ``seams``: x and attempt of each start."""

    x: list[float]
    y: list[float | None]
    seams: list[list[float]]


class CurvesJson(BaseModel):
    """The names there are, and the curves that were asked for (at most 12)."""

    version: str
    final: bool
    names: list[str]
    series: dict[str, CurveJson]


class HostJson(RootModel[Host]):
    """Bytes, bytes per second, and percent of the processors; null: not told."""


@operation("GET /jobs/<int:job_id>/curves", tag="Outputs", answer=CurvesJson, query=CurvesQuery)
def show(job_id: int, query: CurvesQuery) -> CurvesJson:
    """Read curves, thinned to a width so that peaks stay."""
    job = service.get(job_id)
    found = page.of(job)
    drawn = {}
    for name in [n for n in query.series.split(",") if n][: page.MOST_AT_ONCE]:
        curve = found.curve(
            name,
            start=-math.inf if query.start is None else query.start,
            end=math.inf if query.end is None else query.end,
            width=query.width,
            axis=query.axis,
        )
        drawn[name] = CurveJson.model_validate(page.numbers_of(curve, query.axis))
    return CurvesJson(
        version=found.version(), final=job.status.is_final, names=found.names(), series=drawn
    )


@operation("GET /host", tag="Machine", answer=HostJson)
def host() -> HostJson:
    """Show processor, memory, disk and network as they are now."""
    return HostJson(current().machine.latest().host)

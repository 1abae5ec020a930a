"""JSON at /api/v1, on the same services as the pages. ``registry`` tells how to add to it."""

from app.web.api import (
    artifacts,
    dataset_health,
    datasets,
    jobs,
    live,
    machine,
    machines,
    meter,
    models,
    notifications,
    outbound,
    outputs,
    reference,
    tasks,
)
from app.web.api.registry import OPERATIONS, bp

__all__ = [
    "OPERATIONS",
    "artifacts",
    "bp",
    "dataset_health",
    "datasets",
    "jobs",
    "live",
    "machine",
    "machines",
    "meter",
    "models",
    "notifications",
    "outbound",
    "outputs",
    "reference",
    "tasks",
]

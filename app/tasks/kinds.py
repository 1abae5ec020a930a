"""Every kind of background work: who does it, and how many run at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lane = Literal["network", "disk", "install", "message"]

LANES: dict[Lane, int] = {"network": 2, "disk": 1, "install": 1, "message": 2}
"""So many children of a lane at once. A child costs a Python start (about 0.3 s) and its memory."""


@dataclass(frozen=True)
class Kind:
    """``run`` names the function as ``module:function``; it is imported in the child alone.

    ``tries``: how often a ``RetryLaterError`` is answered with another try before it is a failure.
    """

    run: str
    lane: Lane
    title: str
    tries: int = 8


KINDS: dict[str, Kind] = {
    "model.download": Kind("app.base_models.downloading:run", "network", "Download of a model"),
    "model.scan": Kind("app.base_models.scanning:run", "disk", "Look at the models on disk"),
    "model.delete": Kind("app.base_models.removing:run", "disk", "Deletion of a model"),
    "model.token": Kind("app.base_models.asking:run", "network", "Test of the token", tries=2),
    "notify.send": Kind("app.notify.sending:run", "message", "Message", tries=12),
    "delivery.upload": Kind("app.delivery.uploading:run", "network", "Upload", tries=20),
    "artifact.keep": Kind("app.jobs.retention:run", "disk", "Copying a pinned checkpoint"),
    "artifact.norms": Kind("app.artifacts.norms:run", "disk", "Comparing two checkpoints"),
    "artifact.sum": Kind("app.artifacts.sums:run", "disk", "Computing the SHA-256 sum"),
    "job.report": Kind("app.jobs.report:run", "disk", "Writing the report"),
}
"""By name, such as ``dataset.import``; one line each."""

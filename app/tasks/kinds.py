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
    "engine.install": Kind("app.jobs.installing:run", "install", "Installation", tries=1),
    "machine.check": Kind("app.jobs.selfcheck:run", "disk", "Self-check", tries=1),
    "model.download": Kind("app.base_models.downloading:run", "network", "Download of a model"),
    "model.scan": Kind("app.base_models.scanning:run", "disk", "Look at the models on disk"),
    "model.delete": Kind("app.base_models.removing:run", "disk", "Deletion of a model"),
    "model.token": Kind("app.base_models.asking:run", "network", "Test of the token", tries=2),
}
"""By name, such as ``dataset.import``; one line each."""

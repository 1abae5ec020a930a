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

    ``nice``: how far it steps back behind a training; 0 where a person waits for it.
    ``tries``: how often a ``RetryLaterError`` is answered with another try before it is a failure.
    """

    run: str
    lane: Lane
    title: str
    tries: int = 8
    nice: int = 5


KINDS: dict[str, Kind] = {
    "dataset.edit": Kind("app.datasets.background:edit", "disk", "Changing captions"),
    "dataset.fix": Kind("app.datasets.background:fix", "disk", "Putting pictures right"),
    "dataset.report": Kind("app.datasets.background:report", "disk", "Health report"),
    "dataset.sample": Kind("app.datasets.sample:run", "disk", "Drawing the sample dataset"),
    "dataset.scan": Kind("app.datasets.scanning:run", "disk", "Looking through the folder"),
    "dataset.thumbnails": Kind("app.datasets.background:thumbnails", "disk", "Making thumbnails"),
    "dataset.import": Kind(
        "app.datasets.importing.running:run", "network", "Bringing in pictures", nice=0
    ),
    "dataset.purge": Kind("app.datasets.removing:run", "disk", "Deleting for good"),
    "cache.prune": Kind("app.machine.cache:run", "disk", "Tidying the cache"),
    "curves.build": Kind("app.jobs.curve_building:run", "disk", "Preparing the curves"),
    "engine.install": Kind("app.jobs.installing:run", "install", "Installation", tries=1),
    "machine.check": Kind("app.jobs.selfcheck:run", "disk", "Self-check", tries=1),
    "model.download": Kind("app.base_models.downloading:run", "network", "Download of a model"),
    "model.scan": Kind("app.base_models.scanning:run", "disk", "Look at the models on disk"),
    "model.delete": Kind("app.base_models.removing:run", "disk", "Deletion of a model"),
    "model.token": Kind("app.base_models.asking:run", "network", "Test of the token", tries=2),
    "notify.send": Kind("app.notify.sending:run", "message", "Message", tries=12),
    "delivery.upload": Kind("app.delivery.uploading:run", "network", "Copying files", tries=20),
    "artifact.keep": Kind("app.jobs.retention:run", "disk", "Copying a pinned checkpoint"),
    "artifact.norms": Kind("app.artifacts.norms:run", "disk", "Comparing two checkpoints"),
    "artifact.sum": Kind("app.artifacts.sums:run", "disk", "Computing the SHA-256 sum"),
    "job.report": Kind("app.jobs.report:run", "disk", "Writing the report"),
}
"""By name, such as ``dataset.import``; one line each."""

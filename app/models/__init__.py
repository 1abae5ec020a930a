"""The tables, a module for each noun. Times are seconds since the epoch, UTC."""

from app.db import Base
from app.models.access import AccessToken, EndedSession
from app.models.datasets import Dataset, DatasetEdit, DatasetItem
from app.models.deliveries import Delivery
from app.models.facts import Fact
from app.models.jobs import Attempt, Job, JobEvent
from app.models.tasks import Task

__all__ = [
    "AccessToken",
    "Attempt",
    "Base",
    "Dataset",
    "DatasetEdit",
    "DatasetItem",
    "Delivery",
    "EndedSession",
    "Fact",
    "Job",
    "JobEvent",
    "Task",
]

"""Copies of what a job made, at a place that outlives this machine: each verified by size and hash.

``start`` queues an upload (``order`` does for a person), ``backed_up`` says which files are safe,
``pending`` names in sentences what is not yet safe, and ``undelivered`` is the question to ask
before a machine goes away.
"""

from app.delivery.choosing import WHAT, What
from app.delivery.safety import backed_up, is_backed_up, pending, undelivered
from app.delivery.store import (
    State,
    jobs_with_copy,
    order,
    rows,
    start,
    state_of,
    task_of,
    under_way,
    verified,
)
from app.delivery.targets import Target, add, change, find, remove, targets
from app.delivery.watching import Watcher

__all__ = [
    "WHAT",
    "State",
    "Target",
    "Watcher",
    "What",
    "add",
    "backed_up",
    "change",
    "find",
    "is_backed_up",
    "jobs_with_copy",
    "order",
    "pending",
    "remove",
    "rows",
    "start",
    "state_of",
    "targets",
    "task_of",
    "undelivered",
    "under_way",
    "verified",
]

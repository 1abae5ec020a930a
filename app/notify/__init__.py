"""Being told: messages through Apprise about what happened to jobs, the disk and the machine.

``tell`` queues a message for every target that wants such an event; it is never sent twice for one
key. ``Watcher`` derives events from what is in the database, so that none is lost by a restart.
"""

from app.notify.targets import EVENTS, Event, Target, add, change, find, remove, targets
from app.notify.telling import tell, test, test_of
from app.notify.watching import Watcher

__all__ = [
    "EVENTS",
    "Event",
    "Target",
    "Watcher",
    "add",
    "change",
    "find",
    "remove",
    "targets",
    "tell",
    "test",
    "test_of",
]

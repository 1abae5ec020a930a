"""How the machine is doing: processor, memory, disk, network, beside the GPUs of ``app.gpu``."""

from app.machine.host import Host, HostMeter
from app.machine.watcher import Snapshot, Watcher

__all__ = ["Host", "HostMeter", "Snapshot", "Watcher"]

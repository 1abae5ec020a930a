"""How the machine is doing: processor, memory, disk, network, beside the GPUs of ``app.gpu``."""

from app.machine.host import Host, HostMeter
from app.machine.watch import MachineWatch, Snapshot

__all__ = ["Host", "HostMeter", "MachineWatch", "Snapshot"]

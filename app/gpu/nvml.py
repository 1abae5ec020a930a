"""Asks NVML (nvidia-ml-py) what GPUs there are and how they are doing."""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gpu:
    """One GPU. ``index`` counts by PCI bus, as CUDA_DEVICE_ORDER=PCI_BUS_ID does.

    Memory in bytes, ``utilisation`` in percent, ``temperature`` in degrees Celsius, ``power`` in
    watts; None where the card or the driver does not tell. ``processes`` are (pid, bytes).
    ``usable`` is False for a GPU that has fallen off the bus.
    """

    index: int
    uuid: str
    name: str
    memory_total: int | None = None
    memory_used: int | None = None
    utilisation: int | None = None
    temperature: int | None = None
    power: float | None = None
    clock: int | None = None
    """Of its cores, in MHz."""
    processes: tuple[tuple[int, int | None], ...] = ()
    usable: bool = True


@dataclass(frozen=True)
class GpuReport:
    """Every GPU, and a sentence about what kept us from seeing any (None: nothing did).

    ``broken``: there is a driver, but it does not answer, so that no GPU seen does not mean
    that there is none.
    """

    gpus: tuple[Gpu, ...]
    problem: str | None = None
    broken: bool = False

    @property
    def smallest_gb(self) -> float | None:
        """Memory of the smallest GPU in GiB, as cards are sold by; None without any."""
        sizes = [gpu.memory_total for gpu in self.gpus if gpu.memory_total]
        return min(sizes) / 2**30 if sizes else None


def discover() -> GpuReport:
    """Ask now. Never raises: a machine without GPUs is a report without GPUs."""
    if not _has_driver():
        return GpuReport((), "no NVIDIA driver on this machine")
    try:
        import pynvml
    except ImportError as error:
        return GpuReport((), f"the package nvidia-ml-py cannot be loaded: {error}")
    try:
        # Once for each program: without persistence mode, each further start wakes the cards.
        if not _library.started:
            pynvml.nvmlInit()
            _library.started = True
    except pynvml.NVMLError_DriverNotLoaded:
        return GpuReport((), "the NVIDIA driver is not loaded")
    except pynvml.NVMLError as error:
        return GpuReport((), f"the NVIDIA driver does not answer: {error}", broken=True)
    report = _report(pynvml)
    if not report.gpus or not all(gpu.usable for gpu in report.gpus):
        # What became of a lost card is seen only after a new start.
        _maybe(pynvml, pynvml.nvmlShutdown)
        _library.started = False
    return report


def _has_driver() -> bool:
    """Whether its library can be loaded. Asked without pynvml, whose constants are 2 MB."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


@dataclass
class _Library:
    """NVML of this program. Whoever asks holds no lock: NVML itself is safe with threads."""

    started: bool = False


_library = _Library()


def _report(nvml: Any) -> GpuReport:
    count = _maybe(nvml, nvml.nvmlDeviceGetCount) or 0
    found = [_gpu(nvml, number) for number in range(count)]
    # NVML's own order is by PCI bus as well; sorting keeps that true on drivers where it is not.
    # A lost card tells no address: it keeps its place, so that the others keep their numbers.
    if all(address for address, _ in found):
        found.sort(key=lambda pair: pair[0])
    gpus = tuple(replace(gpu, index=index) for index, (_, gpu) in enumerate(found))
    return GpuReport(gpus, None if gpus else "the NVIDIA driver reports no GPU")


def _gpu(nvml: Any, number: int) -> tuple[str, Gpu]:
    handle = _maybe(nvml, nvml.nvmlDeviceGetHandleByIndex, number)
    if handle is None:
        return "", Gpu(number, "", f"GPU {number} (lost)", usable=False)
    name = _maybe(nvml, nvml.nvmlDeviceGetName, handle)
    memory = _maybe(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    rates = _maybe(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    power = _maybe(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    bus = _maybe(nvml, nvml.nvmlDeviceGetPciInfo, handle)
    running = _maybe(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    gpu = Gpu(
        index=number,
        uuid=_text(_maybe(nvml, nvml.nvmlDeviceGetUUID, handle)),
        name=_text(name) or f"GPU {number}",
        memory_total=memory.total if memory else None,
        memory_used=memory.used if memory else None,
        utilisation=rates.gpu if rates else None,
        temperature=_maybe(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        power=power / 1000 if power is not None else None,
        clock=_maybe(nvml, nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
        processes=tuple((process.pid, process.usedGpuMemory) for process in running),
        # A lost card still has a handle, but answers nothing.
        usable=memory is not None or name is not None,
    )
    return _text(getattr(bus, "busId", "")), gpu


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _maybe(nvml: Any, ask: Callable[..., T], *arguments: Any) -> T | None:
    """The answer, or None for whatever this card, driver or moment does not tell."""
    try:
        return ask(*arguments)
    except (nvml.NVMLError, getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError)):
        # The second is raised by newer bindings on older drivers, and is no NVMLError.
        return None


class Sampler:
    """One reading for all viewers: at most one a second, none when nobody asks.

    A driver that hangs (it happens with a lost card) holds up one background thread and, each
    time, an asker for ``patience`` seconds; then the reading before stands.
    """

    def __init__(
        self,
        ask: Callable[[], GpuReport] = discover,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 5.0,
    ) -> None:
        self._ask, self._clock, self._patience = ask, clock, patience
        self._lock = threading.Lock()
        self._latest: GpuReport | None = None
        self._at = 0.0
        self._asking: threading.Thread | None = None

    def report(self) -> GpuReport:
        """The latest reading, made anew when it is older than a second."""
        with self._lock:
            latest = self._latest
            if latest is not None and self._clock() - self._at < self._age(latest):
                return latest
            asking = self._asking
            hangs = asking is not None and latest is not None
            if asking is None:
                asking = threading.Thread(target=self._take, name="nvml", daemon=True)
                self._asking = asking
                asking.start()
        assert asking is not None
        if not hangs:
            asking.join(self._patience)
        with self._lock:
            if self._latest is None:
                return GpuReport((), "the NVIDIA driver does not answer", broken=True)
            return self._latest

    def _take(self) -> None:
        try:
            report = self._ask()
        except Exception as error:
            log.exception("asking for the GPUs failed")
            report = GpuReport((), f"the GPUs could not be asked for: {error}", broken=True)
        with self._lock:
            self._latest, self._at, self._asking = report, self._clock(), None

    @staticmethod
    def _age(report: GpuReport) -> float:
        """Where there is no driver, looking for it every second would be waste."""
        return 1.0 if report.gpus else 30.0

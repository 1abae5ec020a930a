"""GPUs are found through NVML, and nothing that NVML does is a reason to fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

from app.gpu import Gpu, GpuReport, Sampler
from app.settings import ROOT
from tests.support import nvml
from tests.support.wait import until

PROGRAM = """
import dataclasses, json
from app.gpu import discover
reports = [discover(), discover()]
print(json.dumps([dataclasses.asdict(report) for report in reports]))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    if nvml.COMPILER is None:
        pytest.skip("no C compiler for the stand-in of NVIDIA's library")
    folder = tmp_path_factory.mktemp("nvml") / "library"
    nvml.build(folder)
    return folder


def discovered(library, **env):
    """What a program sees with the stand-in in its library path, asking twice."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(library), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[-1], done.stderr


def test_gpus_tell_what_they_are_and_how_they_do(library):
    report, told = discovered(
        library,
        DOUBLE_USED_1="5000000000",
        DOUBLE_WATTS_1="250",
        DOUBLE_PID_1="77",
        DOUBLE_TELL="1",
    )
    first, second = report["gpus"]
    assert (first["uuid"], first["memory_total"], first["power"]) == ("GPU-fake-0", 24 << 30, None)
    assert (second["memory_used"], second["power"]) == (5_000_000_000, 250.0)
    assert (second["processes"], second["temperature"]) == ([[77, 1 << 30]], 40)
    assert report["problem"] is None
    assert told.count("init") == 1


def test_numbers_follow_the_pci_bus_whatever_the_order_of_the_driver(library):
    buses = {"DOUBLE_BUS_0": "65", "DOUBLE_BUS_1": "3", "DOUBLE_BUS_2": "10"}
    report, _ = discovered(library, DOUBLE_COUNT="3", **buses)
    assert [(g["index"], g["uuid"]) for g in report["gpus"]] == [
        (0, "GPU-fake-1"), (1, "GPU-fake-2"), (2, "GPU-fake-0"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["LOST", "NO_HANDLE"])
def test_a_lost_gpu_keeps_its_place_and_is_not_usable(library, how):
    buses = {f"DOUBLE_BUS_{n}": str(n + 1) for n in range(3)}
    report, _ = discovered(library, DOUBLE_COUNT="3", **{f"DOUBLE_{how}_1": "1"}, **buses)
    assert [g["usable"] for g in report["gpus"]] == [True, False, True]
    assert [g["uuid"] for g in report["gpus"]] == ["GPU-fake-0", "", "GPU-fake-2"]


def test_no_driver_is_a_report_without_gpus(library, tmp_path):
    unloaded, _ = discovered(library, DOUBLE_INIT="9")
    assert (unloaded["gpus"], unloaded["broken"]) == ([], False)
    assert unloaded["problem"] == "the NVIDIA driver is not loaded"
    mismatched, _ = discovered(library, DOUBLE_INIT="18")
    assert (mismatched["gpus"], mismatched["broken"]) == ([], True)
    none, _ = discovered(library, DOUBLE_COUNT="0")
    assert (none["gpus"], none["problem"]) == ([], "the NVIDIA driver reports no GPU")
    if shutil.which("nvidia-smi") is None:
        missing, _ = discovered(tmp_path)
        assert (missing["gpus"], missing["problem"]) == ([], "no NVIDIA driver on this machine")


def test_a_program_without_the_package_has_no_gpus(library):
    code = f"import sys; sys.modules['pynvml'] = None\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(library)},
    )  # fmt: skip
    assert "nvidia-ml-py" in json.loads(done.stdout)[0]["problem"]


class Asked:
    """A stand-in for NVML that counts."""

    def __init__(self, *gpus):
        self.count = 0
        self.report = GpuReport(gpus)

    def __call__(self):
        self.count += 1
        return self.report


ONE = Gpu(0, "GPU-0", "one")


def test_many_viewers_cost_one_reading_a_second_and_nobody_costs_none():
    now = [100.0]
    asked = Asked(ONE)
    sampler = Sampler(asked, clock=lambda: now[0])
    assert asked.count == 0
    assert [sampler.report().gpus for _ in range(20)] == [(ONE,)] * 20
    assert asked.count == 1
    now[0] += 1.1
    sampler.report()
    assert asked.count == 2


def test_a_machine_without_gpus_is_asked_again_after_a_while_only():
    now = [100.0]
    asked = Asked()
    sampler = Sampler(asked, clock=lambda: now[0])
    for _ in range(20):
        sampler.report()
        now[0] += 1
    assert asked.count == 1
    now[0] += 30
    sampler.report()
    assert asked.count == 2


def test_a_driver_that_hangs_holds_nobody_for_long_and_is_asked_once():
    go_on = threading.Event()
    asked = Asked(ONE)

    def hang():
        asked.count += 1
        go_on.wait(30)
        return asked.report

    sampler = Sampler(hang, patience=0.01)
    assert sampler.report() == GpuReport((), "the NVIDIA driver does not answer", broken=True)
    assert sampler.report().gpus == ()
    assert asked.count == 1
    go_on.set()
    until(lambda: sampler.report().gpus, what="the driver answered at last")


def test_the_reading_before_stands_while_a_driver_hangs():
    now, go_on = [100.0], threading.Event()
    asked = Asked(ONE)

    def ask():
        asked.count += 1
        if asked.count > 1:
            go_on.wait(30)
        return asked.report

    sampler = Sampler(ask, clock=lambda: now[0], patience=0.01)
    sampler.report()
    now[0] += 2
    assert [sampler.report().gpus for _ in range(5)] == [(ONE,)] * 5
    assert asked.count == 2
    go_on.set()


def test_an_error_nobody_foresaw_is_a_report_too():
    def fail():
        raise RuntimeError("surprise")

    assert "surprise" in (Sampler(fail).report().problem or "")


def test_the_smallest_gpu_decides_what_fits():
    sizes = [Gpu(n, "", "", memory_total=size << 30) for n, size in enumerate((24, 8, 80))]
    assert GpuReport(tuple(sizes)).smallest_gb == 8
    assert GpuReport((ONE,)).smallest_gb is None

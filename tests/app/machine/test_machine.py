"""The machine is read as the container's share of it, once for all who look, and only while they do."""

from __future__ import annotations

import threading

import pytest

from app.machine import Host, HostMeter, MachineWatch, Snapshot
from app.machine.host import memory, usable_cpus
from tests.support.wait import until

HOST = Host(50.0, 2.0, 1, 2, 3, 4, None, None, None, None)


class Whole:
    """A machine of 64 GB, of which 20 are in use."""

    total, available = 64 << 30, 44 << 30

    @classmethod
    def virtual_memory(cls):
        return cls


@pytest.mark.parametrize(
    "files",
    [
        {
            "memory.max": 8 << 30,
            "memory.current": 5 << 30,
            "memory.stat": f"inactive_file {1 << 30}",
        },
        {
            "memory/memory.limit_in_bytes": 8 << 30,
            "memory/memory.usage_in_bytes": 5 << 30,
            "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {1 << 30}",
        },
    ],
)
def test_memory_is_the_containers_and_cached_files_are_not_in_use(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert memory(tmp_path, Whole) == (4 << 30, 8 << 30)


@pytest.mark.parametrize("stat", [None, "no rows at all\n"])
def test_memory_whose_cached_files_cannot_be_told_counts_all_of_it_as_in_use(tmp_path, stat):
    (tmp_path / "memory.max").write_text(f"{8 << 30}\n")
    (tmp_path / "memory.current").write_text(f"{5 << 30}\n")
    if stat is not None:
        (tmp_path / "memory.stat").write_text(stat)
    assert memory(tmp_path, Whole) == (5 << 30, 8 << 30)


def test_without_a_limit_it_is_the_machines(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    assert memory(tmp_path, Whole) == (20 << 30, 64 << 30)


def test_processors_are_those_of_the_quota(tmp_path):
    everything = usable_cpus(tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cpus(tmp_path) == 0.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path) == everything


def test_rates_come_with_the_second_reading(tmp_path):
    times = iter([1.0, 3.0])
    meter = HostMeter(tmp_path, tmp_path, lambda: next(times))
    first, second = meter.read(), meter.read()
    assert first.received is first.cpu is None
    assert second.received is not None
    assert 0 <= second.cpu <= 100
    assert 0 < second.disk_used < second.disk_total


def test_many_who_look_share_one_thread_and_it_ends_when_nobody_does():
    now = [100.0]
    taken = threading.Semaphore(0)

    def take():
        taken.release()
        return Snapshot(now[0], (), HOST)

    others = set(threading.enumerate())
    watcher = MachineWatch(take, lambda: now[0])
    watcher._pause.set()  # no waiting between readings
    assert len(watcher.history()) >= 1
    for _ in range(5):
        watcher.history()
    assert [t.name for t in set(threading.enumerate()) - others].count("machine") == 1
    assert taken.acquire(timeout=10)
    now[0] += 60
    until(lambda: not watcher.sampling, 10, "the thread ends")


def test_who_comes_back_after_a_while_is_shown_how_it_is_now():
    now = [0.0]
    watcher = MachineWatch(lambda: Snapshot(now[0], (), HOST), lambda: now[0])
    watcher.history()
    now[0] = 60.0
    assert {s.at for s in watcher.history()} == {60.0}
    watcher.stop()


def test_it_is_ended_at_once_and_looks_again_for_who_comes_later():
    watcher = MachineWatch(lambda: Snapshot(1.0, (), HOST), lambda: 1.0)
    watcher.stop()  # nobody looked yet
    watcher.latest()
    thread = watcher._thread
    watcher.stop()
    assert not thread.is_alive()
    assert not watcher.sampling
    watcher.latest()
    assert watcher.sampling
    watcher.stop()

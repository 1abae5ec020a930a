"""What a real cluster told (Slurm 22.05, tests/replay/slurm) is read as people would say it.

Recorded by SINFO and SQUEUE, run by ``app.slurm.commands``, on four slurmd with device files as GPUs.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.settings import ROOT
from app.slurm.nodes import Gpus, Node, expand, read

REPLAY = ROOT / "tests/replay/slurm"


def cluster(name):
    return read(*((REPLAY / f"{kind}-{name}.txt").read_text() for kind in ("sinfo", "squeue")))


@pytest.fixture(scope="module")
def busy():
    return cluster("busy")


@pytest.fixture(scope="module")
def broken():
    return cluster("broken")


def by_name(found):
    return {one.name: one for one in found}


def test_states_are_said_in_plain_words(busy):
    assert {n.name: (n.kind, n.words) for n in busy.nodes} == {
        "n1": ("busy", "busy"),
        "n2": ("busy", "busy"),
        "n3": ("down", "down: does not answer"),
        "n4": ("leaving", "busy, then drained"),
    }
    assert {n.name: n.words for n in cluster("quiet").nodes} == {
        "n1": "idle", "n2": "idle", "n3": "down: does not answer", "n4": "drained",
    }  # fmt: skip


def test_who_took_a_node_out_and_why_and_when_is_kept(busy):
    n4 = by_name(busy.nodes)["n4"]
    assert (n4.reason, n4.by) == ("bad fan, Ada looks at it", "root")
    assert n4.since == datetime(2026, 11, 27, 3, 30, 58, tzinfo=UTC)
    n1 = by_name(busy.nodes)["n1"]
    assert (n1.reason, n1.by, n1.since) == ("", "", None)


def test_gpus_are_counted_by_type_and_once_whatever_partitions_they_are_in(busy):
    assert busy.gpus == (Gpus("a100-80gb", 2, 2), Gpus("rtx4090", 3, 2))
    assert [gpus.free for gpus in busy.gpus] == [0, 1]
    default = busy.partition("")
    assert default.name == "all"
    assert default.gpus == busy.gpus
    assert busy.partition("rtx4090").gpus == (Gpus("rtx4090", 3, 2),)
    assert busy.partition("none such") is None


def test_what_is_on_a_drained_or_invalid_node_is_not_free(broken):
    assert by_name(broken.nodes)["n1"].words == "drained: it has less than slurm.conf says"
    assert by_name(broken.nodes)["n1"].gpus == (Gpus("rtx4090", 2, 0, out=2),)
    assert broken.partition("rtx4090").gpus[0].free == 0


def test_a_partition_that_is_down_gives_nothing_though_its_nodes_do(broken):
    assert not broken.partition("a100-80gb").is_up
    assert broken.partition("a100-80gb").gpus == (Gpus("a100-80gb", 2, 1, out=1),)
    assert by_name(broken.partition("all").gpus and broken.nodes)["n2"].gpus[0].free == 1


def test_jobs_are_read_whatever_their_names_hold(broken):
    jobs = {job.number: job for job in broken.jobs}
    assert jobs["7"].name == 'a|name, with "odd" words'
    assert (jobs["7"].nodes, jobs["7"].gpus, jobs["7"].waits) == (("n2",), 1, False)
    assert (jobs["8"].gpus, jobs["8"].waits) == (2, True)
    assert jobs["8"].reason == "ReqNodeNotAvail, UnavailableNodes:n[1,3-4]"
    assert jobs["9_[0-9]"].waits
    assert jobs["7"].since > jobs["6"].since


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("idle", "free", "idle"),
        ("idle+planned", "free", "idle, kept for a waiting job"),
        ("mixed+completing", "busy", "busy"),
        ("idle~", "free", "idle"),
        # Slurm starts such a node when it has a job for it, so its GPUs can be had.
        ("idle+cloud+powered_down", "free", "switched off to save power, starts for a job"),
        ("idle+powering_down", "down", "is being switched off to save power"),
        ("idle+drain+powered_down", "out", "drained"),
        ("down+powered_down", "down", "down"),
        ("down+completing", "down", "down"),
        ("idle+maintenance+reserved", "out", "reserved"),
        ("allocated+reserved", "busy", "busy"),
        ("down+drain", "down", "down"),
        ("mixed+not_responding", "down", "down: does not answer"),
        ("unknown+not_responding", "down", "down: does not answer"),
        ("draining*", "out", "drained"),
        ("", "free", "idle"),
    ],
)
def test_states_of_other_clusters(state, kind, words):
    node = Node("n", state, 1, 0, 1, 0, (), ())
    assert (node.kind, node.words) == (kind, words)


@pytest.mark.parametrize(
    ("gres", "used", "gpus"),
    [
        ("gpu:2", "gpu:1", (Gpus("", 2, 1),)),
        ("gpu:a100:4(S:0-1),nic:mlx:2", "gpu:a100:3(IDX:0,2-3)", (Gpus("a100", 4, 3),)),
        ("gpu:3090:2", "gpu:3090:0(IDX:N/A)", (Gpus("3090", 2, 0),)),
        ("gpu:1g.5gb:7", "gpu:1g.5gb:7(IDX:0-6)", (Gpus("1g.5gb", 7, 7),)),
        ("gpu:a:1,gpu:b:2", "gpu:b:2(IDX:1,2),gpu:a:0(IDX:N/A)", (Gpus("a", 1, 0), Gpus("b", 2, 2))),
        ("shard:a100:8", "shard:a100:0", ()),
        ("(null)", "gpu:0", ()),
    ],
)  # fmt: skip
def test_gpus_of_other_clusters(gres, used, gpus):
    row = (REPLAY / "sinfo-quiet.txt").read_text().splitlines()[0]
    at = row.index("gpu:")
    row = row[:at] + gres.ljust(200) + used.ljust(240) + row[at + 440 :]
    assert read(row, "").nodes[0].gpus == gpus


def test_host_lists_are_spelled_out():
    assert expand("n1,gpu[01-03,7]-x,r[1-2]n[1-2]") == [
        "n1", "gpu01-x", "gpu02-x", "gpu03-x", "gpu7-x", "r1n1", "r1n2", "r2n1", "r2n2",
    ]  # fmt: skip
    assert expand("") == []


def test_an_accent_in_a_name_shifts_nothing():
    text = (REPLAY / "sinfo-busy.txt").read_bytes().replace(b"rtx4090 ", "métal4 ".encode(), 1)
    assert read(text.decode(), "").nodes[0].cpus == 8


def test_lines_that_cannot_be_understood_are_left_out():
    assert read("\n  \n", "error\n1|2").jobs == ()

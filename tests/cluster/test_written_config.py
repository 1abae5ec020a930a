"""The files of scripts/slurm/write_config.py start a controller and two nodes that share their GPUs out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.settings import ROOT
from app.slurm.nodes import SINFO, SQUEUE, Gpus, read
from tests.support.server import free_port
from tests.support.slurm import NODES, Cluster, missing
from tests.support.wait import until

pytestmark = pytest.mark.cluster


class Written(Cluster):
    """Started from the files as they are written, but for the name of the machine that it is on."""

    def start(self):
        self.make_key_and_gpus(3)
        for name in ("run", "var/log/slurm", "var/lib/slurm/slurmctld"):
            (self.root / name).mkdir(parents=True, mode=0o755)
        boxes = self.root / "boxes.txt"
        boxes.write_text(
            f"n1 address=127.0.0.1 cpus=2 memory=2000 port={free_port()} gpu=rtx4090:{self.root}/gpus/gpu[0-1]\n"
            f"n2 address=127.0.0.1 cpus=2 memory=2000 port={free_port()} gpu=a100-80gb:{self.root}/gpus/gpu2\n"
        )
        subprocess.run(
            [sys.executable, "-I", ROOT / "scripts/slurm/write_config.py", boxes, "--out", self.root,
             "--root", self.root, "--user", "root", "--port", str(free_port()), "--no-cgroups",
             "--munge-socket", self.root / "munge/socket"],
            check=True, capture_output=True,
        )  # fmt: skip
        host = os.uname().nodename.partition(".")[0]
        # Here two boxes are one machine, which is called neither n1 nor n2 and may have one processor.
        text = self.conf.read_text().replace("SlurmctldHost=n1(", f"SlurmctldHost={host}(")
        self.conf.write_text(text + "SlurmdParameters=config_overrides\n")
        self.start_munge()
        self.start_controller()
        for name in NODES:
            self.start_node(name)

    def look(self):
        return read(self.run(*SINFO), self.run(*SQUEUE))

    def submit(self, *options):
        return self.run(
            "sbatch", "--parsable", "-o", "/dev/null", *options, "--wrap", "sleep 60"
        ).strip()


@pytest.fixture(scope="module")
def cluster():
    if why := missing():
        pytest.skip(why)
    written = Written()
    try:
        written.start()
        until(
            lambda: [n.words for n in written.look().nodes] == ["idle", "idle"], 30, "both are idle"
        )
        yield written
    finally:
        written.stop()


def test_the_nodes_have_the_gpus_and_the_partitions_of_the_list(cluster):
    found = cluster.look()
    assert found.gpus == (Gpus("a100-80gb", 1, 0), Gpus("rtx4090", 2, 0))
    assert [(p.name, p.default, len(p.nodes)) for p in found.partitions] == [
        ("all", True, 2), ("a100-80gb", False, 1), ("rtx4090", False, 1),
    ]  # fmt: skip


def test_two_jobs_with_a_gpu_each_fit_on_one_box_without_being_told_their_share(cluster):
    jobs = [cluster.submit("-p", "rtx4090", "--gres=gpu:1") for _ in range(3)]

    def states():
        return {j.number: j.state for j in cluster.look().jobs}

    until(lambda: list(states().values()).count("RUNNING") == 2, 20, "two run")
    found = cluster.look()
    n1 = next(node for node in found.nodes if node.name == "n1")
    assert (n1.gpus, n1.cpus_busy, n1.memory_busy) == ((Gpus("rtx4090", 2, 2),), 2, 1900)
    assert next(j for j in found.jobs if j.waits).reason in ("Resources", "Priority", "None", "")
    for number in jobs:
        cluster.run("scancel", number)
    until(lambda: not cluster.look().jobs, 20, "the queue is empty")


def test_slurm_never_starts_a_job_again_by_itself(cluster):
    number = cluster.submit("--gres=gpu:1")
    assert "Requeue=0" in cluster.run("scontrol", "show", "job", number)
    cluster.run("scancel", number)

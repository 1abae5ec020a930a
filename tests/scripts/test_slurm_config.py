"""A line for each box becomes the files of a Slurm that shares GPUs, memory and processors out."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import NamedTuple

import pytest

from app.settings import ROOT


class Done(NamedTuple):
    """What a run of the script said."""

    returncode: int
    stderr: str


SCRIPTS = ROOT / "scripts/slurm"
BOXES = """
# the box in the cellar
gpu1 address=10.0.0.1 cpus=32 sockets=1 cores=16 threads=2 memory=128000 gpu=rtx4090:/dev/nvidia[0-1]
gpu2 address=10.0.0.2 cpus=64 memory=256000 gpu=a100-80gb:4 gpu=rtx4090:1
plain cpus=8 memory=16000
"""


@pytest.fixture(scope="module")
def script():
    """The script as a module: starting Python for each test would take a second in all."""
    spec = spec_from_file_location("write_config", SCRIPTS / "write_config.py")
    module = module_from_spec(spec)
    sys.modules["write_config"] = module  # where its dataclasses look for their words
    spec.loader.exec_module(module)
    yield module
    del sys.modules["write_config"]


@pytest.fixture
def write(tmp_path, script, capsys):
    """A function that writes the files of a list; what it answered and said, and the files."""

    def run(text, *more):
        (tmp_path / "boxes.txt").write_text(text)
        code = script.main([str(tmp_path / "boxes.txt"), "--out", str(tmp_path / "out"), *more])
        made = {p.name: p.read_text() for p in (tmp_path / "out").glob("*")}
        return Done(code, capsys.readouterr().err), made

    return run


def lines(text, word):
    return [line for line in text.splitlines() if line.startswith(word)]


def test_each_box_is_named_with_what_it_has(write):
    done, made = write(BOXES)
    assert done.returncode == 0, done.stderr
    nodes = lines(made["slurm.conf"], "NodeName=")
    assert nodes[0] == (
        "NodeName=gpu1 NodeAddr=10.0.0.1 CPUs=32 SocketsPerBoard=1 CoresPerSocket=16 "
        "ThreadsPerCore=2 RealMemory=121600 Gres=gpu:rtx4090:2 State=UNKNOWN"
    )
    assert "Gres=gpu:a100-80gb:4,gpu:rtx4090:1" in nodes[1]
    assert "Gres" not in nodes[2]
    assert "SlurmctldHost=gpu1(10.0.0.1)" in made["slurm.conf"]


def test_device_files_are_counted_on_where_only_a_count_is_given(write):
    made = write(BOXES)[1]
    assert lines(made["gres.conf"], "NodeName=") == [
        "NodeName=gpu1 Name=gpu Type=rtx4090 File=/dev/nvidia[0-1]",
        "NodeName=gpu2 Name=gpu Type=a100-80gb File=/dev/nvidia[0-3]",
        "NodeName=gpu2 Name=gpu Type=rtx4090 File=/dev/nvidia4",
    ]


def test_there_is_a_partition_for_each_type_and_one_gpu_brings_its_share_of_the_box(write):
    made = write(BOXES)[1]
    everything, a100, rtx = lines(made["slurm.conf"], "PartitionName=")
    assert everything.startswith("PartitionName=all Nodes=gpu1,gpu2,plain Default=YES")
    # The smallest share among the boxes: 64 processors and 256000 MB for 5 GPUs.
    assert everything.endswith("DefCpuPerGPU=12 DefMemPerGPU=48640")
    assert "Nodes=gpu2 " in a100
    assert "Nodes=gpu1,gpu2 " in rtx


def test_one_type_needs_no_partition_of_its_own(write):
    made = write("one cpus=4 memory=8000 gpu=rtx3090:1\n")[1]
    assert len(lines(made["slurm.conf"], "PartitionName=")) == 1


def test_a_box_that_may_not_use_cgroups_is_told_so(write):
    assert "ConstrainDevices=yes" in write(BOXES)[1]["cgroup.conf"]
    made = write(BOXES, "--no-cgroups")[1]
    assert "ProctrackType=proctrack/linuxproc" in made["slurm.conf"]
    assert made["cgroup.conf"] == ""


def test_the_next_steps_name_every_box_and_the_key(write):
    text = write(BOXES)[1]["NEXT-STEPS.txt"]
    assert "10.0.0.2  gpu2" in text
    assert "munge.key" in text
    assert "slurmctld        on gpu1" in text
    assert "install -d -o slurm /var/lib/slurm/slurmctld" in text


def test_the_folders_belong_to_whom_the_controller_runs_as(write):
    made = write(BOXES, "--user", "root")[1]
    assert "SlurmUser=root" in made["slurm.conf"]
    assert "install -d -o root /var/lib/slurm/slurmctld" in made["NEXT-STEPS.txt"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no box"),
        ("a cpus=1 memory=100\na cpus=1 memory=100", "a is there twice"),
        ("a cpus=1", "Line 1: a has no memory="),
        ("a cpus=1 memory=100\n b=2 cpus=1", "Line 2: 'b=2' is no host name"),
        ("a cpus=none memory=100", "'cpus=none' is not understood"),
        ("a cpus=1 memory=9 gpu=x:many", "Line 1: 'gpu=x:many' is not understood"),
    ],
)
def test_nonsense_is_named_by_line_and_nothing_is_written(write, text, told):
    done, made = write(text)
    assert done.returncode == 2
    assert told in done.stderr
    assert made == {}


SMI = """#!/bin/sh
cat <<END
0, NVIDIA GeForce RTX 4090, 00000000:01:00.0
1, NVIDIA GeForce RTX 4090, 00000000:02:00.0
2, NVIDIA A100-SXM4-80GB, 00000000:03:00.0
3, NVIDIA RTX A6000, 00000000:04:00.0
4, Tesla V100-SXM2-32GB, 00000000:05:00.0
5, NVIDIA H100 80GB HBM3, 00000000:06:00.0
END
"""
SLURMD = """#!/bin/sh
echo "NodeName=box CPUs=1 Boards=1 SocketsPerBoard=1 CoresPerSocket=1 ThreadsPerCore=1 RealMemory=1"
"""


def test_a_box_describes_itself_in_a_line_that_is_understood(tmp_path, write):
    for name, text in (("nvidia-smi", SMI), ("slurmd", SLURMD)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with (SCRIPTS / "describe_box.py").open() as script:  # as over ssh
        done = subprocess.run(
            [sys.executable, "-", "10.1.2.3"], stdin=script, capture_output=True, text=True,
            check=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )  # fmt: skip
    assert " address=10.1.2.3 cpus=1 sockets=1 cores=1 threads=1 memory=" in done.stdout
    assert done.stdout.split()[7:] == [
        "gpu=rtx4090:/dev/nvidia[0-1]", "gpu=a100-80gb:/dev/nvidia2", "gpu=rtxa6000:/dev/nvidia3",
        "gpu=v100-32gb:/dev/nvidia4", "gpu=h100-80gb:/dev/nvidia5",
    ]  # fmt: skip
    told, made = write(done.stdout)
    assert told.returncode == 0, told.stderr
    assert "Gres=gpu:rtx4090:2,gpu:a100-80gb:1" in made["slurm.conf"]


def test_a_box_without_slurm_and_driver_still_has_a_line(tmp_path, write):
    with (SCRIPTS / "describe_box.py").open() as script:
        done = subprocess.run(
            [sys.executable, "-"], stdin=script, capture_output=True, text=True, check=True,
            env={"PATH": str(tmp_path)},
        )  # fmt: skip
    assert "gpu=" not in done.stdout
    assert write(done.stdout)[0].returncode == 0

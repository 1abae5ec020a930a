"""A real Slurm cluster on this machine: munge, a controller, two nodes with two fake GPUs each.

In a folder of its own, with its own key, socket and ports; every process is ended at the end,
whatever happens, also where the test process itself is killed (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from app.slurm.commands import ControllerDownError, Slurm, SlurmError
from tests.support.server import free_port
from tests.support.wait import until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
NODES = ("n1", "n2")
_PATH = f"/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}"
_PR_SET_PDEATHSIG = 1
_PATIENCE = 6
"""Seconds after which a node that does not answer is down and its jobs are requeued: short, for tests of that."""
_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
SlurmdTimeout={patience}
SlurmctldTimeout=10
MessageTimeout=5
KillWait=3
DefMemPerNode=500
MinJobAge=300
{nodes}
PartitionName=main Nodes=n1,n2 Default=YES State=UP OverSubscribe=NO PriorityTier=1
PartitionName=urgent Nodes=n1,n2 State=UP OverSubscribe=NO PriorityTier=10
"""


def missing() -> str:
    """Why no cluster can be started here; empty where one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if absent:
        return f"no Slurm on this machine ({', '.join(absent)} not found)"
    return "" if os.geteuid() == 0 else "a Slurm cluster for tests needs root"


class Cluster:
    """``start`` and ``stop``; in between break what you like."""

    def __init__(self) -> None:
        # Not below a folder of pytest: munge wants every folder above its socket open to all.
        self.root = root = Path(tempfile.mkdtemp(prefix="slurm-"))
        root.chmod(0o755)
        self.conf = root / "slurm.conf"
        self.env = {"PATH": _PATH, "SLURM_CONF": str(self.conf)}
        self.slurm = Slurm(self.env)
        self._patience = _PATIENCE
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def make_key_and_gpus(self, count: int) -> None:
        """A secret for munge, and files of devices that Slurm takes for GPUs."""
        for name in ("munge", "gpus"):
            (self.root / name).mkdir(mode=0o755)
        key = self.root / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        for index in range(count):
            os.mknod(self.root / "gpus" / f"gpu{index}", 0o20666, os.makedev(1, 3))

    def start(self) -> None:
        """Takes a second or two."""
        self.make_key_and_gpus(2)
        (self.root / "state").mkdir(mode=0o755)
        host = os.uname().nodename.partition(".")[0]
        nodes = "\n".join(
            f"NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={free_port()} CPUs=8 "
            "RealMemory=4000 Gres=gpu:2 State=UNKNOWN"
            for name in NODES
        )
        self.conf.write_text(
            _CONF.format(
                host=host, port=free_port(), root=self.root, nodes=nodes, patience=_PATIENCE
            )
        )
        (self.root / "gres.conf").write_text(
            f"NodeName=n[1-2] Name=gpu File={self.root}/gpus/gpu[0-1]\n"
        )
        self.start_munge()
        self.start_controller()
        for name in NODES:
            self.start_node(name)
        until(lambda: self.states() == ["idle", "idle"], 30, "both nodes are idle")

    def start_munge(self) -> None:
        folder = self.root / "munge"
        (folder / "socket").unlink(missing_ok=True)
        self._run(
            "munge", "munged", "-F", f"--key-file={folder}/key", f"--socket={folder}/socket",
            f"--pid-file={folder}/pid", f"--log-file={folder}/log", f"--seed-file={folder}/seed",
            "--num-threads=2",
        )  # fmt: skip
        until((folder / "socket").exists, 10, "munge listens")

    def start_controller(self) -> None:
        self._run("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        until(self.answers, 20, "the controller answers")

    def start_node(self, name: str) -> None:
        self._run(name, "slurmd", "-D", "-N", name, "-f", str(self.conf))

    def _run(self, name: str, *command: str) -> None:
        with (self.root / f"{name}.out").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/",
                env={**os.environ, **self.env}, start_new_session=True, preexec_fn=_die_with_us,
            )  # fmt: skip

    def answers(self) -> bool:
        with contextlib.suppress(ControllerDownError, SlurmError):
            self.run("sinfo", "-h", seconds=3)
            return True
        return False

    def states(self) -> list[str]:
        """The states of the nodes, in order."""
        with contextlib.suppress(ControllerDownError, SlurmError):
            return self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%t").split()
        return []

    def run(self, *command: str, seconds: float = 20) -> str:
        return self.slurm.run(*command, seconds=seconds)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End munge, slurmctld, n1 or n2."""
        process = self._processes.pop(name)
        process.send_signal(how)
        process.wait(timeout=20)

    def crash(self, node: str) -> None:
        """The machine is gone: its daemon and all that ran there."""
        self.kill(node)
        # One after the other, where a real machine is gone at once: what was begun meanwhile goes, too.
        until(lambda: not self._kill_all_on(node), 20, f"nothing lives on {node}")

    def _kill_all_on(self, node: str) -> bool:
        """Whether there was anything. The guardians first: they would report how their jobs died."""
        mine = f"SLURMD_NODENAME={node}".encode()
        guardians = [pid for pid in _pids() if _is_guardian(pid, self.root, node)]
        jobs = [pid for pid in _pids() if _belongs(pid, self.root) and mine in _environ(pid)]
        for pid in (*guardians, *jobs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(guardians or jobs)

    def give_nodes(self, seconds: int) -> None:
        """So long they may be silent, from the controller's next start to the end of this test."""
        before, after = (f"SlurmdTimeout={n}\n" for n in (self._patience, seconds))
        self.conf.write_text(self.conf.read_text().replace(before, after))
        self._patience = seconds

    def restart_controller(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.kill("slurmctld", how)
        self.start_controller()

    def set_down(self, node: str) -> None:
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def set_up(self, node: str) -> None:
        with contextlib.suppress(SlurmError):
            self.run("scontrol", "update", f"nodename={node}", "state=resume")

    def mend(self) -> None:
        """Everything runs as usual, no job is left: ready for the next test."""
        if self._patience != _PATIENCE:
            self.give_nodes(_PATIENCE)
            self.kill("slurmctld", signal.SIGTERM)
        for name in ("munge", "slurmctld", *NODES):
            process = self._processes.get(name)
            if process is None or process.poll() is not None:
                {"munge": self.start_munge, "slurmctld": self.start_controller}.get(
                    name, lambda name=name: self.start_node(name)
                )()
        with contextlib.suppress(SlurmError):
            self.run("scancel", "--me")
        until(self._is_quiet, 40, "the cluster is as it was")

    def _is_quiet(self) -> bool:
        for name, state in zip(NODES, self.states(), strict=False):
            if state.startswith(("down", "drain", "drng", "fail", "inval")):
                self.set_up(name)
        return self.states() == ["idle", "idle"] and not self.run("squeue", "-h").strip()

    def stop(self) -> None:
        """End everything: jobs with their nodes, then the rest."""
        with contextlib.suppress(ControllerDownError, SlurmError):
            self.run("scancel", "--me", "--signal=KILL", "--full", seconds=5)
        for name in (*NODES, "slurmctld", "munge"):
            process = self._processes.pop(name, None)
            if process is not None and process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
                if process.poll() is None:
                    process.kill()
                    process.wait()
        _end_steps(self.root)
        shutil.rmtree(self.root, ignore_errors=True)


def _die_with_us() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_steps(root: Path) -> None:
    """The guardians of jobs (slurmstepd) outlive their node, and their jobs with them."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = [
            pid
            for pid in _pids()
            if _belongs(pid, root) or any(_is_guardian(pid, root, node) for node in NODES)
        ]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _belongs(pid: int, root: Path) -> bool:
    """A process of a job on this cluster."""
    environ = _environ(pid)
    return f"SLURM_CONF={root}/slurm.conf".encode() in environ and b"SLURM_JOB_ID=" in environ


def _is_guardian(pid: int, root: Path, node: str) -> bool:
    """A slurmstepd of this node: it writes the node's own log. Its environment is empty."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "slurmstepd":
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
            return f"{root}/slurmd-{node}.log" in links
    return False


def _environ(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""

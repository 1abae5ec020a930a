"""Runs one trainer and leaves an exit record: the small process between the app and a training.

    python -I -S scripts/run_job.py ATTEMPT_DIR [--lock-fd N]

Standard library only. ATTEMPT_DIR holds launch.json (what to run), may get a stop.json (how to stop),
and receives log.txt and exit.json. Its lock, the sign of life, is held from before the start until exit.json
is whole. SIGUSR1 or SIGTERM with a stop.json: do its steps. SIGUSR2: Slurm's time limit is near: "near_end".
SIGTERM without: the machine goes down, end all, leave no exit record. Status 0: it is written.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import time

TYPE_CHECKING = False  # importing typing would cost 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MARKER = "VAST_LORA_ATTEMPT"
ORDERS = (signal.SIGTERM, signal.SIGUSR1)
WATCHED = (*ORDERS, signal.SIGUSR2, signal.SIGCHLD)
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
RESTORED = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
APART: dict[str, Any] = {"setsid": True, "setsigmask": (), "setsigdef": RESTORED}
SIGNAL_NAMES = {known.value: known.name for known in signal.Signals}
LEFTOVER_GRACE, SHUTDOWN_GRACE = 2.0, 3.0  # seconds to end by oneself; when the machine goes down
KILL_PATIENCE, RECORD_PATIENCE = 30.0, 60.0  # for killed ones in the kernel; for room for exit.json
LOCK_PATIENCE, UNTIL_INTERVAL = 2.0, 0.2  # for a reader of the lock; between looks in a step
KILL_ALL = {"kind": "signal", "signal": "SIGKILL", "to": "all", "grace": 0}  # ends every stop


def read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def stat_fields(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, parent, ...); empty if it is gone."""
    try:
        return read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def identity(pid: int) -> dict[str, int]:  # a pair that is never used again; ticks since boot
    return {"pid": pid, "start_time": int((stat_fields(pid) or ["0"] * 20)[19])}


def children() -> list[int]:
    """Our living children. Their pids stay theirs, for only we collect them."""
    rows = [(int(name), stat_fields(name)) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid, row in rows if row[1:2] == [str(os.getpid())] and row[0] not in "ZX"]


def open_to_write(path: str, more: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | more, 0o600)


def write_json(path: str, data: dict[str, Any]) -> None:
    """Put ``data`` at ``path`` whole or not at all. OSError: no room, even in the reserve."""
    with open(open_to_write(f"{path}.reserve"), "wb") as file:
        file.write(json.dumps(data, indent=1).encode() + b"\n")
        file.truncate()
        os.fsync(file.fileno())
    os.replace(f"{path}.reserve", path)


def order(step: dict[str, Any]) -> Callable[[], bool] | None:
    """Run the statement of a stop step. Returns the test that ends the step early, if any."""
    import sqlite3  # 2 MB that only a stop needs

    name = step["path"].replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    table = sqlite3.connect(f"file:{name}?mode=rw", uri=True, timeout=2, isolation_level=None)
    if table.execute(step["statement"], step["parameters"]).rowcount == 0:
        raise sqlite3.OperationalError("no row was changed")
    until = step["until"]
    return until and (lambda: table.execute(until["query"], until["parameters"]).fetchone()[0])


class Runner:
    """One attempt, from launch.json to exit.json."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.launch: dict[str, Any] = {}
        self.wish: dict[str, Any] = {}
        self.trainer, self.beside, self.running = 0, 0, False
        unknown = ("code", "signal", "started", "ended", "peak_rss_bytes", "wish", "error")
        self.exit: dict[str, Any] = {"version": 1, **dict.fromkeys(unknown), "stopped": False}
        self.exit.update(steps_taken=[], leftovers_killed=0)

    def note(self, text: str) -> None:
        """Add a line to log.txt, at the start of a line even after an unfinished progress bar."""
        try:
            size = os.fstat(1).st_size
            fresh = size == 0 or os.pread(1, 1, size - 1) == b"\n"
            line = f"{'' if fresh else chr(10)}[vast-lora] {' '.join(text.split())}\n"
            os.write(1, line.encode("utf-8", "replace"))
        except OSError:
            return  # the disk is full; the exit record has room of its own

    def run(self) -> int:
        """See the trainer through to its end. Returns the runner's own exit status."""
        try:
            self.introduce()
            self.wish = self.read_wish()
            if not self.wish:
                self.spawn()
        except (OSError, ValueError, TypeError, LookupError) as error:
            what = getattr(error, "filename", None) or "the trainer"
            why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            self.finish(grace=0)
            self.note(why := f"could not start {what}: {why}")
            self.exit.update(code=127, signal=None, error=why)
        while self.running:
            got = self.wait(self.launch.get("look", 1e9))
            if self.running and got != signal.SIGCHLD and (wish := self.read_wish(got)):
                self.stop(wish)
            elif self.running and got == signal.SIGTERM:
                self.note("the machine is going down: ending the trainer")
                os.killpg(self.trainer, signal.SIGTERM)
                self.finish(SHUTDOWN_GRACE)
                return 128 + signal.SIGTERM
        self.finish(LEFTOVER_GRACE)
        return self.record()

    def introduce(self) -> None:
        """Say in launch.json who runs this attempt. From here on a stop reaches us by signal."""
        self.launch = dict(json.loads(read(f"{self.folder}/launch.json")))
        boot_id = read("/proc/sys/kernel/random/boot_id").strip()
        self.launch.update(boot_id=boot_id, runner=identity(os.getpid()))
        with open(open_to_write(f"{self.folder}/exit.json.reserve"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 4096)  # so a full disk cannot eat the exit record
        write_json(f"{self.folder}/launch.json", self.launch)

    def spawn(self) -> None:
        """Start the trainer in a session of its own, every signal as a login shell has it."""
        argv, environment = self.launch["argv"], {**os.environ, MARKER: self.launch["marker"]}
        os.chdir(self.launch["cwd"])
        self.exit["started"] = self.launch["started"] = time.time()
        self.trainer = os.posix_spawnp(argv[0], argv, environment, **APART)
        self.running, self.launch["trainer"] = True, identity(self.trainer)
        write_json(f"{self.folder}/launch.json", self.launch)
        reader = f"{os.path.dirname(os.path.abspath(__file__))}/gpu_readings.py"
        watch = [sys.executable, "-I", "-S", reader, self.folder, str(self.trainer)]
        try:
            if "slurm" in self.launch:  # the dashboard is elsewhere and cannot look at this GPU
                self.beside = os.posix_spawn(watch[0], watch, os.environ, **APART)
        except OSError as error:
            self.note(f"the training goes on, but nobody looks at the GPU: {error}")

    def reap(self) -> bool:
        """Collect every child that ended. True while any descendant lives: orphans become ours."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.trainer:
                self.running = False
                code = os.waitstatus_to_exitcode(status)
                end = {"code": code} if code >= 0 else {"signal": SIGNAL_NAMES.get(-code, "SIGRT")}
                self.exit.update(ended=time.time(), peak_rss_bytes=usage.ru_maxrss * 1024, **end)

    def wait(self, seconds: float = 1e9) -> int:
        """Sleep until a signal comes, then collect children. Its number; 0 when time is up."""
        got = signal.sigtimedwait(WATCHED, max(0.0, seconds))
        self.reap()
        return got.si_signo if got else 0

    def read_wish(self, got: int = 0) -> dict[str, Any]:
        """What stop.json asks for, its steps filled in; else what the signal says; or nothing."""
        try:
            data = dict(json.loads(read(f"{self.folder}/stop.json")))
        except (OSError, ValueError, TypeError) as error:
            stutters = (
                isinstance(error, OSError) and "look" in self.launch and got != signal.SIGUSR1
            )
            if stutters or isinstance(error, FileNotFoundError):  # a stutter is looked at again
                near_end = self.launch.get("near_end") if got == signal.SIGUSR2 else None
                return {"wish": "time-limit", "steps": near_end} if near_end else {}
            self.note(f"stop.json is not readable ({error}): stopping in the plain way")
            data = {}
        steps = self.launch.get("stop", []) if data.get("steps") is None else data["steps"]
        return {"wish": data.get("wish", "stop"), "steps": steps}

    def stop(self, wish: dict[str, Any]) -> None:
        """Do the steps until the trainer has ended; after the last one kill everything."""
        while wish and self.running:
            self.wish, wish = wish, {}
            for step in (*self.wish["steps"], KILL_ALL):
                if self.running and not wish:
                    wish = self.take(step)

    def take(self, step: dict[str, Any]) -> dict[str, Any]:
        """Do one step and wait until it is over. Returns a newer wish, if one came meanwhile."""
        entry: dict[str, Any] = {"at": time.time()}
        self.exit["steps_taken"].append(entry)
        try:
            entry.update((key, step[key]) for key in ("kind", "signal", "to") if key in step)
            met = self.act(step)
            end = time.monotonic() + step["grace"]
            while self.running and (left := end - time.monotonic()) > 0 and not (met and met()):
                got = self.wait(min(left, UNTIL_INTERVAL) if met else left)
                if got in ORDERS and (wish := self.read_wish(got)) not in ({}, self.wish):
                    return wish
        except Exception as error:  # noqa: BLE001 - a stop must go on, whatever a step is made of
            entry["error"] = f"{type(error).__name__}: {error}"
            self.note(f"stop step {entry.get('kind')} did not work ({entry['error']}): next step")
        return {}

    def act(self, step: dict[str, Any]) -> Callable[[], bool] | None:
        """Do what a stop step says. Returns the test that ends the step early, if it has one."""
        if step["kind"] == "sqlite":
            return order(step)
        if step["to"] == "all":
            self.finish(grace=0)
        else:  # the trainer is not collected yet, so its pid and its group are its own
            send = os.kill if step["to"] == "process" else os.killpg
            send(self.trainer, signal.Signals[step["signal"]])
        return None

    def finish(self, grace: float) -> None:
        """Give what still lives ``grace`` seconds, then SIGKILL it, in whatever session it is."""
        end = time.monotonic() + grace
        while self.reap() and (left := end - time.monotonic()) > 0:
            if self.wait(left) == signal.SIGTERM:
                break
        end, pause, killed = time.monotonic() + KILL_PATIENCE, 0.01, set[int]()
        while self.reap() and (self.running or time.monotonic() < end):
            for pid in children():  # the children of a killed child become ours: the next round
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            self.wait(pause)
            pause = min(1.0, pause * 2)
        self.exit["leftovers_killed"] += len(killed - {self.trainer, self.beside})

    def record(self) -> int:
        """Write exit.json, waiting for room on a full disk. Returns 1 if there is none in time."""
        self.exit["ended"] = self.exit["ended"] or time.time()
        self.exit.update(stopped=bool(self.wish), wish=self.wish.get("wish"))
        end = time.monotonic() + RECORD_PATIENCE
        while True:
            try:
                write_json(f"{self.folder}/exit.json", self.exit)
                return 0
            except OSError as error:
                self.note(f"exit.json could not be written ({error.strerror}): trying again")
            if time.monotonic() > end or self.wait(1.0) == signal.SIGTERM:
                return 1


def take_lock(folder: str, fd: int) -> None:
    """Make this the one runner of the attempt, ever; leave by SystemExit if it is not the first."""
    end = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno != 11:  # no BlockingIOError: a network filesystem without locks
                break
        if time.monotonic() > end:
            sys.exit(f"{folder} has a runner already")
        time.sleep(0.01)
    if os.path.exists(f"{folder}/exit.json") or '"runner":' in read(f"{folder}/launch.json"):
        sys.exit(f"{folder} was run already; a new run is a new attempt")


def main(arguments: list[str]) -> int:
    """Take the lock, leave the caller's session, streams and signals behind, and run."""
    signal.pthread_sigmask(signal.SIG_SETMASK, WATCHED)
    for number in (*WATCHED, *IGNORED):  # a watched one inherited as ignored would never come
        signal.signal(number, signal.SIG_IGN if number in IGNORED else signal.SIG_DFL)
    folder, given = os.path.abspath(arguments[0]), arguments[1:2] == ["--lock-fd"]
    lock = int(arguments[2]) if given else open_to_write(f"{folder}/lock")
    os.set_inheritable(lock, False)
    os.closerange(3, lock)
    os.closerange(lock + 1, 4096)
    take_lock(folder, lock)
    if os.getpgrp() != os.getpid():
        os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(open_to_write(f"{folder}/log.txt", os.O_APPEND), stream)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    return Runner(folder).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the installed engines accept, read from their own sources by a child process.

Reading parses megabytes of Python: about a second and 100 MB, and in CPython 3.11 it fails when
two threads parse at once. So the server never does it. A child reads the sources and prints the
list; it is kept with a fingerprint of what it was read from, and read again when that changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.jobs.installations import Installation
from app.jobs.rundir import write_json_atomic
from app.settings import ROOT, Settings
from engines.adapter import ENGINES
from engines.base import OptionList
from engines.registry import ENGINE_NAMES, EngineName

log = logging.getLogger(__name__)

READ_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0
"""How long a fingerprint is believed before the sources are looked at again."""


@dataclass(frozen=True)
class Known:
    """What an engine is known to accept.

    ``problem`` says why the installed engine could not be read, in which case ``options`` is the
    list shipped for the pinned commit. ``pending``: it is being read; until then the shipped list
    stands in. ``read_at`` is in epoch seconds, None for the shipped list.
    """

    options: OptionList
    problem: str = ""
    pending: bool = False
    read_at: float | None = None


class OptionLibrary:
    """The option lists of one program's engines. Safe to use from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir / "options"
        self._keep = settings.data_dir.is_dir
        self._known: dict[tuple[EngineName, str], tuple[str, Known]] = {}
        self._looked: dict[str, tuple[float, str]] = {}
        self.patient = False
        """Whether ``now`` waits as well: for a command, which has nothing else to do."""
        self._reading: dict[EngineName, threading.Lock] = {
            n: threading.Lock() for n in ENGINE_NAMES
        }

    def now(self, installation: Installation) -> Known:
        """What is known at this moment; never waits. Starts a reading where one is due."""
        if installation.problem:
            return Known(installation.engine.shipped_options())
        if self.patient:
            return self.wait(installation)
        mark = self._fingerprint(installation)
        found = self._remembered(installation, mark)
        if found is not None:
            return found
        if not self._reading[installation.name].locked():  # else somebody reads already
            threading.Thread(target=self.wait, args=(installation,), daemon=True).start()
        return Known(installation.engine.shipped_options(), pending=True)

    def wait(self, installation: Installation) -> Known:
        """The list of the installed engine, read now if need be: about a second."""
        if installation.problem:
            return Known(installation.engine.shipped_options())
        with self._reading[installation.name]:
            mark = self._fingerprint(installation)
            found = self._remembered(installation, mark)
            if found is None:
                found = _read_in_child(installation)
                self._remember(installation, mark, found)
            return found

    def _fingerprint(self, installation: Installation) -> str:
        home = str(installation.home)
        when, mark = self._looked.get(home, (0.0, ""))
        if not mark or time.monotonic() - when > LOOK_AGAIN_SECONDS:
            mark = fingerprint(installation)
            self._looked[home] = (time.monotonic(), mark)
        return mark

    def _remembered(self, installation: Installation, mark: str) -> Known | None:
        key = (installation.name, str(installation.home))
        kept, known = self._known.get(key, ("", None))
        if known is None or kept != mark:
            known = self._kept(installation, mark)
            if known is not None:
                self._known[key] = (mark, known)
        return known

    def _kept(self, installation: Installation, mark: str) -> Known | None:
        """The list in the file, if it was read from these very sources."""
        try:
            data = json.loads(self._file(installation).read_text("utf-8"))
            if data["fingerprint"] != mark:
                return None
            return _known(installation, data["list"], data["problem"], data["read_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # none yet, or of another version of this program

    def _remember(self, installation: Installation, mark: str, known: Known) -> None:
        self._known[(installation.name, str(installation.home))] = (mark, known)
        if not self._keep():
            return  # a command that needs no data folder makes none
        found = None if known.problem else dataclasses.asdict(known.options)
        record = {
            "fingerprint": mark, "list": found, "problem": known.problem, "read_at": known.read_at,
        }  # fmt: skip
        try:
            self._folder.mkdir(exist_ok=True)
            write_json_atomic(self._file(installation), record)
        except OSError as error:
            log.warning("the option list of %s cannot be kept: %s", installation.name, error)

    def _file(self, installation: Installation) -> Path:
        return self._folder / f"{installation.name}.json"


def _known(
    installation: Installation, found: dict[str, Any] | None, problem: str, read_at: float | None
) -> Known:
    if found is None:
        return Known(installation.engine.shipped_options(), problem=problem, read_at=None)
    options = OptionList(
        found["source"], found["data"], tuple(found["modules"]), tuple(found["dataset_keys"])
    )
    return Known(options, read_at=read_at)


def sources(home: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a checkout that tell what it accepts, sorted."""
    return sorted({path for pattern in patterns for path in home.glob(pattern)})


def fingerprint(installation: Installation) -> str:
    """Changes with every edit of the sources: path, size and time of each file."""
    digest = hashlib.sha256(str(installation.home).encode())
    for path in sources(installation.home, installation.engine.option_sources()):
        try:
            stat = path.stat()
        except OSError:
            continue  # gone since it was listed; the next look sees it so
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    # A newer version of this program may read more out of the same sources.
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _read_in_child(installation: Installation) -> Known:
    command = [
        sys.executable,
        "-m",
        "app.jobs.engine_options",
        installation.name,
        str(installation.home),
    ]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=READ_SECONDS, check=False,
            stdin=subprocess.DEVNULL, env={"PATH": os.environ.get("PATH", "")},
        )  # fmt: skip
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason given"
            return _unread(installation, why)
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return _unread(installation, f"reading took longer than {READ_SECONDS:.0f} s")
    except (OSError, ValueError) as error:
        return _unread(installation, str(error))
    return _known(installation, found, "", time.time())


def _unread(installation: Installation, why: str) -> Known:
    problem = (
        f"its options could not be read ({why.rstrip('.')}); the list of the pinned commit is used"
    )
    return Known(installation.engine.shipped_options(), problem=problem)


def read(name: EngineName, home: Path) -> OptionList:
    """Read a checkout in this very process. Raises OSError or ValueError."""
    engine = ENGINES[name]
    texts = {
        str(path.relative_to(home)): path.read_text("utf-8", "replace")
        for path in sources(home, engine.option_sources())
    }
    return engine.read_options(texts)


def main() -> int:
    """``python -m app.jobs.engine_options NAME HOME``: print the list as JSON."""
    os.nice(10)
    name = next(known for known in ENGINE_NAMES if known == sys.argv[1])
    try:
        found = read(name, Path(sys.argv[2]))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(dataclasses.asdict(found), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

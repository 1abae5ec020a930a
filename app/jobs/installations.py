"""Which engines are there: where, run by which interpreter, and what is missing."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.errors import UserError
from app.settings import Settings
from engines.ai_toolkit import AiToolkit
from engines.base import Engine
from engines.kohya_ss import KohyaSs
from engines.spec import ENGINE_NAMES, EngineName

ENGINES: dict[EngineName, Engine] = {"ai-toolkit": AiToolkit(), "kohya_ss": KohyaSs()}

_SCRIPT: dict[EngineName, str] = {"ai-toolkit": "run.py", "kohya_ss": "train_network.py"}
_GUI = "kohya_gui.py"
"""Marks a checkout of the kohya_ss GUI, whose trainer is a submodule of its own."""
PROBE_SECONDS = 30


class EngineMissingError(UserError):
    """The engine a job needs is not installed."""

    status = 409


@dataclass(frozen=True)
class Installation:
    """One engine as it was found. ``problem`` is empty when it can run."""

    name: EngineName
    home: Path
    python: str
    problem: str = ""

    @property
    def installed(self) -> bool:
        return not self.problem

    @property
    def engine(self) -> Engine:
        return ENGINES[self.name]

    @property
    def how(self) -> str:
        """The command that gets it."""
        return f"./scripts/bootstrap.sh {self.name}"


def find(settings: Settings, name: EngineName) -> Installation:
    """Look without running anything: the script is there and the interpreter may be executed."""
    home, python = places(settings, name)
    if name == "kohya_ss" and (home / "sd-scripts" / _SCRIPT[name]).is_file():
        home = home / "sd-scripts"
    prefix = name.upper().replace("-", "_")
    if not (home / _SCRIPT[name]).is_file() and (home / _GUI).is_file():
        # Cloned without --recurse-submodules: the folder of the trainer is there and empty, or not there.
        fetch = f"git -C {shlex.quote(str(home))} submodule update --init sd-scripts"
        problem = f"{home} is the kohya_ss GUI without its trainer; `{fetch}` fetches it."
    elif not (home / _SCRIPT[name]).is_file():
        problem = f"{home} holds no {_SCRIPT[name]}. Install it, or set {prefix}_DIR to a checkout."
    elif not os.access(python, os.X_OK):
        problem = f"{python} cannot be executed. Install it, or set {prefix}_PYTHON."
    else:
        problem = ""
    return Installation(name, home, python, problem)


def commit_of(home: Path) -> str:
    """The commit a checkout stands at, read from its ``.git``; empty where it cannot be told."""
    try:
        git = home / ".git"
        if git.is_file():
            git = (home / git.read_text("utf-8").partition("gitdir: ")[2].strip()).resolve()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return head
        ref = git / head.removeprefix("ref: ")
        if ref.is_file():
            return ref.read_text("utf-8").strip()
        packed = (git / "packed-refs").read_text("utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(" " + head[5:])), "")
    except OSError:
        return ""


def find_all(settings: Settings) -> tuple[Installation, ...]:
    """Every engine, installed or not."""
    return tuple(find(settings, name) for name in ENGINE_NAMES)


def places(settings: Settings, name: EngineName) -> tuple[Path, str]:
    """Folder and interpreter, as the settings name them."""
    if name == "ai-toolkit":
        return settings.ai_toolkit_dir, settings.ai_toolkit_python
    return settings.kohya_ss_dir, settings.kohya_ss_python


def require(settings: Settings, name: EngineName) -> Installation:
    """The installation, or EngineMissingError with how to get it."""
    found = find(settings, name)
    if found.problem:
        raise EngineMissingError(f"{name} is not installed: {found.problem} Run: {found.how}")
    return found


def interpreter_runs(installation: Installation) -> str:
    """Really start the interpreter; empty when it runs, else a sentence. Takes up to 30 s.

    A wrapper that dislikes ``-c`` still counts: all that matters is that it can be started.
    """
    try:
        done = subprocess.run(
            [installation.python, "-c", "pass"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{installation.python} did not answer within {PROBE_SECONDS} s."
    except OSError as error:
        return f"{installation.python} cannot be started: {error}."
    if done.returncode in (126, 127):
        return f"{installation.python} cannot be started: {done.stderr.decode(errors='replace')[-200:]}"
    return ""

"""Which engines are there: where, run by which interpreter, and what is missing."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.errors import UserError
from app.settings import ROOT, Settings
from engines.adapter import ENGINES, Engine
from engines.registry import ENGINE_NAMES, EngineName, setting_prefix

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
    def has_recipe(self) -> bool:
        """Whether bootstrap.sh knows how to get it."""
        return (ROOT / "scripts" / "bootstrap" / f"{self.name}.lock").is_file()

    @property
    def how(self) -> str:
        """The command that gets it, or names the place where a person has put it."""
        if self.has_recipe:
            return f"./scripts/bootstrap.sh {self.name}"
        return f"{self.pointing} ./scripts/start.sh"

    @property
    def pointing(self) -> str:
        """The settings that name one which is there already."""
        prefix = setting_prefix(self.name)
        return f"{prefix}_DIR=/path/to/{self.name} {prefix}_PYTHON=/path/to/its/python"


def find(settings: Settings, name: EngineName) -> Installation:
    """Look without running anything: the script is there and the interpreter may be executed."""
    home, python = places(settings, name)
    traits, prefix = ENGINES[name].traits, setting_prefix(name)
    if traits.inside and (home / traits.inside / traits.script).is_file():
        home = home / traits.inside
    there = (home / traits.script).is_file()
    if not there and traits.outside and (home / traits.outside).is_file():
        # Cloned without --recurse-submodules: the folder of the trainer is there and empty, or not there.
        fetch = f"git -C {shlex.quote(str(home))} submodule update --init {traits.inside}"
        problem = f"{home} is the {name} GUI without its trainer; `{fetch}` fetches it."
    elif not there:
        problem = f"{home} holds no {traits.script}. Install it, or set {prefix}_DIR to a checkout."
    elif not os.access(python, os.X_OK):
        problem = f"{python} cannot be executed. Install it, or set {prefix}_PYTHON."
    else:
        problem = ""
    return Installation(name, home, python, problem)


def commit_of(home: Path) -> str:
    """The commit a checkout stands at, read from its own ``.git``; empty where it cannot be told.

    Not by asking git, which answers with the checkout around a folder that is none.
    """
    try:
        git = home / ".git"
        if git.is_file():
            git = (home / git.read_text("utf-8").partition("gitdir: ")[2].strip()).resolve()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return head
        shared = git / "commondir"  # of a worktree: its branches lie in the repository's own folder
        if shared.is_file():
            git = (git / shared.read_text("utf-8").strip()).resolve()
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
    return settings.engine_places[name]


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

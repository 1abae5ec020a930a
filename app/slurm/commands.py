"""Runs Slurm's commands: the one place that does, each with a time limit and a clean environment.

An answer, a controller that cannot be reached and a refusal are told apart: nothing may be taken
for gone, failed or unsubmitted only because nobody answered.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping

from app.slurm.states import FORMAT, Seen, read

QUERY_SECONDS = 20.0
"""A command gives up by itself after about 9 s without a controller (measured, 22.05)."""

_OWN_WORDS = re.compile(r"^(SLURM|SBATCH|SQUEUE|SCANCEL|SINFO|SALLOC|SCONTROL|SACCT|SRUN|PMI)_")
_KEPT = frozenset({"SLURM_CONF", "SLURM_JWT"})
_UNREACHABLE = re.compile(
    r"(?i)unable to contact slurm controller|connection refused|connect failure|"
    r"unable to establish config|backup controller in standby|no route to host|"
    r"munge|authentication credential|authentication error|protocol authentication|"
    r"name or service not known|unable to resolve"
)
_UNCLEAR = re.compile(
    r"(?i)socket timed out|zero bytes were transmitted|connection timed out|communications? "
    r"(error|failure)|unexpected message|message (send|receive) failure|i/o error|"
    r"temporarily unable|resource temporarily unavailable|connection reset|broken pipe"
)
_NOISE = re.compile(r"^(?:\w+: )?(?:\w+ )?(?:error|fatal): ", re.MULTILINE)


class SlurmError(Exception):
    """Slurm answered no. The message is its own sentence."""


class SlurmMissingError(SlurmError):
    """The command is not installed here."""


class ControllerDownError(Exception):
    """Nobody answered. ``done_nothing``: the request surely had no effect."""

    def __init__(self, message: str, *, done_nothing: bool) -> None:
        super().__init__(message)
        self.done_nothing = done_nothing


class Slurm:
    """The commands, run with ``environment`` (this program's own, cleaned, where none is given)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._told: tuple[str, list[Seen]] = ("", [])

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        seconds: float = QUERY_SECONDS,
    ) -> str:
        """What the command prints. Raises ControllerDownError or SlurmError.

        ``environment`` is what a job is to inherit, in place of our own, so that nothing is added to
        it; Slurm's own variables in it, which would be options by the back door, are taken out.
        """
        given = clean(environment or self._environment)
        given.update({name: self._environment[name] for name in _KEPT if name in self._environment})
        if environment is None:
            given.update(LC_ALL="C", SLURM_TIME_FORMAT="%s")
        given.setdefault("PATH", self._environment.get("PATH", os.defpath))
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=given,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise SlurmMissingError(
                f"{command[0]} cannot be run here: {error.strerror}. Install Slurm's client commands."
            ) from error
        out, told = _finish(process, command[0], seconds)
        if process.returncode == 0:
            return out
        raise _refusal(command[0], told, process.returncode)

    def jobs(self) -> list[Seen]:
        """All jobs of ours that Slurm still knows, in whatever state: one squeue for all.

        The same list again where nothing changed.
        """
        text = self.run("squeue", "--me", "-h", "-t", "all", "-o", FORMAT)
        if text != self._told[0]:
            self._told = (text, list(read(text)))
        return self._told[1]


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without Slurm's variables, which its commands take for options."""
    return {
        name: value
        for name, value in environment.items()
        if name in _KEPT or not _OWN_WORDS.match(name)
    }


def _finish(process: subprocess.Popen[bytes], name: str, seconds: float) -> tuple[str, str]:
    try:
        out, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise ControllerDownError(
            f"{name} did not answer in {seconds:.0f} s.", done_nothing=False
        ) from error
    return out.decode("utf-8", "replace"), told.decode("utf-8", "replace").strip()


def _refusal(name: str, told: str, code: int) -> Exception:
    sentence = " ".join(_NOISE.sub("", told).split()) or f"{name} ended with code {code}"
    if code < 0 or not told or _UNCLEAR.search(told):
        # It died without a word, as when munge goes away under it: nobody said no.
        return ControllerDownError(sentence, done_nothing=False)
    if _UNREACHABLE.search(told):
        return ControllerDownError(sentence, done_nothing=True)
    return SlurmError(sentence)

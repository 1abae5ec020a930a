"""Slurm without Slurm: remembers what it was told, answers what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.slurm.commands import ControllerDownError, SlurmError
from app.slurm.states import Seen

DOWN = "Unable to contact slurm controller (connect failure)"


class FakeSlurm:
    """``queue`` are the jobs it knows; ``down`` and ``submit`` say how it answers."""

    def __init__(self) -> None:
        self.queue: dict[int, Seen] = {}
        self.said: list[tuple[str, ...]] = []
        self.environments: list[Mapping[str, str]] = []
        self.down = False
        self.submit = "works"
        """works, down, unclear (it took the job), lost (it did not), or refused."""
        self.questions = 0

    def jobs(self) -> list[Seen]:
        self.questions += 1
        if self.down:
            raise ControllerDownError(DOWN, done_nothing=True)
        return list(self.queue.values())

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        seconds: float = 20.0,
    ) -> str:
        self.said.append(command)
        if self.down:
            raise ControllerDownError(DOWN, done_nothing=True)
        if command[0] == "sbatch":
            return self._submit(command, environment or {})
        number = int(command[-1])
        if number not in self.queue:
            raise SlurmError("Invalid job id specified")
        if command[:2] == ("scontrol", "release"):
            self.set(number, reason="Resources")
        elif command[0] == "scancel" and not any("signal" in word for word in command):
            any_state = "--state=PENDING" not in command
            old = self.queue[number]
            over = any_state or old.stage == "waiting"
            self.queue[number] = replace(old, state="CANCELLED") if over else old
        return ""

    def _submit(self, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
        self.environments.append(environment)
        if self.submit == "down":
            raise ControllerDownError(DOWN, done_nothing=True)
        if self.submit == "refused":
            raise SlurmError("Invalid partition name specified")
        if self.submit != "lost":
            number = max(self.queue, default=100) + 1
            words = dict(word[2:].partition("=")[::2] for word in command if "=" in word)
            self.queue[number] = Seen(
                number, "PENDING", "JobHeldUser", "", words["job-name"], words["comment"]
            )
            if self.submit == "works":
                return f"{number}\n"
        raise ControllerDownError("Socket timed out on send/recv operation", done_nothing=False)

    def set(self, number: int, **changes: str) -> None:
        self.queue[number] = replace(self.queue[number], **changes)

    @property
    def submissions(self) -> int:
        return sum(command[0] == "sbatch" for command in self.said)

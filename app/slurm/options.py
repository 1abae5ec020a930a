"""What a job asks of Slurm: as settings for all jobs, and per job. Checked, so that no value is an option."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

_WORD = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.,:@+-]*$")
_CONSTRAINT = re.compile(r"^[A-Za-z0-9_(\[][A-Za-z0-9_.,:&|*()\[\]@+-]*$")
_TIME = re.compile(r"^(\d{1,6}|\d{1,4}:\d{2}(:\d{2})?|\d{1,4}-\d{1,2}(:\d{2}){0,2})$")
_TYPE = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
_OPTION = re.compile(r"^--[a-z][a-z0-9-]*(=[^\x00-\x1f]*)?$")

_OURS_TEXT = """
array autocomplete batch bb bbf begin clusters comment chdir dependency error export export-file
get-user-env gid help hold input job-name kill-on-invalid-dep no-requeue open-mode output parsable
quiet requeue signal test-only uid usage version wait wait-all-nodes wrap gres partition account
time constraint
"""
OURS = frozenset(_OURS_TEXT.split())
"""Long options of sbatch that this program sets itself, or that would break its bookkeeping."""

FIELDS = ("partition", "account", "time_limit", "constraint", "gpu_type", "options")
"""What a job may ask for by itself."""


class OptionError(ValueError):
    """A value that Slurm must not be given. ``field`` is one of FIELDS."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class SlurmOptions:
    """Empty fields are not said to Slurm, which then takes its own defaults."""

    partition: str = ""
    account: str = ""
    time_limit: str = ""
    constraint: str = ""
    gpu_type: str = ""
    options: str = ""
    """Further long options of sbatch, as a shell would split them."""

    @classmethod
    def checked(cls, values: Mapping[str, str]) -> SlurmOptions:
        """From words of a person. Raises OptionError naming the field."""
        unknown = sorted(set(values) - set(FIELDS))
        if unknown:
            raise OptionError(
                unknown[0], f"{unknown[0]} is no option; there are {', '.join(FIELDS)}."
            )
        found = cls(**{name: str(value).strip() for name, value in values.items()})
        found._check()
        return found

    def _check(self) -> None:
        for field, pattern, example in (
            ("partition", _WORD, "gpu or gpu,long"),
            ("account", _WORD, "my-group"),
            ("time_limit", _TIME, "90 (minutes), 12:00:00 or 2-00:00"),
            ("constraint", _CONSTRAINT, "a100|h100"),
            ("gpu_type", _TYPE, "a100"),
        ):
            value = getattr(self, field)
            if value and not pattern.match(value):
                raise OptionError(field, f"{value!r} cannot be used; write it as {example}.")
        self.words()

    def words(self) -> list[str]:
        """The further options, one a word. Raises OptionError."""
        try:
            words = shlex.split(self.options)
        except ValueError as error:
            raise OptionError("options", f"{self.options!r} cannot be split: {error}.") from None
        for word in words:
            if not _OPTION.match(word):
                raise OptionError(
                    "options", f"{word!r} is no long option; write each as --name or --name=value."
                )
            name = word[2:].partition("=")[0]
            # sbatch takes any beginning of a name for the name.
            if len(name) < 3 or any(one.startswith(name) for one in OURS):
                raise OptionError("options", f"--{name} is set by this program.")
        return words

    def over(self, general: SlurmOptions) -> SlurmOptions:
        """These, and where nothing is said the general ones; further options are added to them."""
        own = {name: getattr(self, name) for name in FIELDS if getattr(self, name)}
        if self.options and general.options:
            own["options"] = f"{general.options} {self.options}"
        return replace(general, **own)

    def chosen(self) -> dict[str, str]:
        """Only what was said."""
        return {name: getattr(self, name) for name in FIELDS if getattr(self, name)}

"""The settings of Slurm: read from the environment with the others, by ``app.settings``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.setting import Setting, SettingsError
from app.slurm import cards
from app.slurm.options import OptionError, SlurmOptions
from app.slurm.paths import PathMap

_OPTIONS = {
    "SLURM_PARTITION": "partition",
    "SLURM_ACCOUNT": "account",
    "SLURM_TIME_LIMIT": "time_limit",
    "SLURM_CONSTRAINT": "constraint",
    "SLURM_GPU_TYPE": "gpu_type",
    "SLURM_OPTIONS": "options",
}

SLURM_SETTINGS: tuple[Setting, ...] = (
    Setting("SLURM_PARTITION", "Slurm's own default", "Partition that jobs ask for; each job may name another."),
    Setting("SLURM_ACCOUNT", "none", "Account that jobs are charged to."),
    Setting("SLURM_TIME_LIMIT", "the partition's",
            "Time limit of a job, such as 12:00:00; saved and queued again there."),
    Setting("SLURM_CONSTRAINT", "none", "Features that a node must have, such as a100 or a fast network."),
    Setting("SLURM_GPU_TYPE", "any", "Type of GPU to ask for: a100 becomes --gres=gpu:a100:N."),
    Setting("SLURM_OPTIONS", "none", "Further long options of sbatch, such as --cpus-per-task=8 --mem=32G."),
    Setting("SLURM_PATH_MAP", "same paths", "Where nodes see our folders: /here=/there, several with commas."),
    Setting("SLURM_PYTHON", "this program's", "Python 3 on the nodes that runs the small runner."),
    Setting("SLURM_MAX_JOBS", "all", "Jobs handed to Slurm at a time: a number, or all."),
    Setting("SLURM_LAG_SECONDS", "90", "How late an exit record may come through the shared filesystem."),
    Setting("SLURM_SAVE_SECONDS", "120", "So long before its time limit a job is asked to save and is queued again."),
    Setting("SLURM_GPU_MEMORY", "by the name of the type", "GB by type of GPU, where its name does not tell: a100:80."),
)  # fmt: skip


@dataclass(frozen=True)
class SlurmSettings:
    """What is asked for every job, and how nodes see our folders."""

    general: SlurmOptions = field(default_factory=SlurmOptions)
    path_map: PathMap = field(default_factory=PathMap)
    python: str = ""
    max_jobs: int | None = None
    """None hands all jobs over; the order is then Slurm's."""
    save_seconds: int = 120
    lag_seconds: int = 90
    """NFS may keep a client from seeing a new file for a minute (acdirmax)."""
    gpu_memory: Mapping[str, float] = field(default_factory=dict)
    """GB by type of GPU, in lower case."""

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, wanted: bool) -> SlurmSettings | None:
        """None where no job runs on Slurm: not the executor, and none of its settings is set."""
        if not wanted and not any(env.get(row.name) for row in SLURM_SETTINGS):
            return None
        try:
            general = SlurmOptions.checked(
                {name: env[key] for key, name in _OPTIONS.items() if env.get(key)}
            )
        except OptionError as error:
            key = next(
                (key for key, name in _OPTIONS.items() if name == error.field), "SLURM_OPTIONS"
            )
            raise SettingsError(f"{key}: {error}") from None
        try:
            path_map = PathMap.parse(env.get("SLURM_PATH_MAP", ""))
        except ValueError as error:
            raise SettingsError(f"SLURM_PATH_MAP: {error}") from None
        try:
            gpu_memory = cards.parse(env.get("SLURM_GPU_MEMORY", ""))
        except ValueError as error:
            raise SettingsError(f"SLURM_GPU_MEMORY: {error}") from None
        return cls(
            general=general,
            path_map=path_map,
            python=env.get("SLURM_PYTHON", "").strip(),
            max_jobs=None if _says_all(env, "SLURM_MAX_JOBS") else _count(env, "SLURM_MAX_JOBS", 1),
            lag_seconds=_count(env, "SLURM_LAG_SECONDS", 1, 90),
            save_seconds=_count(env, "SLURM_SAVE_SECONDS", 0, 120),
            gpu_memory=gpu_memory,
        )


def _says_all(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").strip().lower() in ("", "all")


def _count(env: Mapping[str, str], name: str, low: int, default: int = 0) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= 65000:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number from {low}.")
    return int(text)

"""What Slurm is handed: a script that becomes the runner, and the words sbatch gets beside it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from app.slurm.options import SlurmOptions

LAG_SECONDS = 120
"""So long the script waits for the run directory, which a shared filesystem may show late."""

_SCRIPT = """\
#!/bin/sh
# {title}: made by the dashboard, run by Slurm. It becomes the small process that runs the trainer.
folder={folder}
runner={runner}
waited=0
until [ -r "$folder/launch.json" ] && [ -r "$runner" ]; do
  if [ "$waited" -ge {lag} ]; then
    echo "[vast-lora] $(hostname) cannot see $folder: is the shared filesystem mounted here?" >&2
    exit 72
  fi
  sleep 1
  waited=$((waited + 1))
done
for python in {pythons}; do
  if command -v "$python" >/dev/null 2>&1; then
    exec "$python" -I -S "$runner" "$folder"
  fi
done
echo "[vast-lora] there is no Python 3 on $(hostname): set SLURM_PYTHON" >&2
exit 127
"""


@dataclass(frozen=True)
class Handover:
    """One attempt as Slurm gets it. Paths are as nodes see them, but for ``script``, which is ours."""

    name: str
    comment: str
    script: Path
    output: str
    gpus: int
    options: SlurmOptions
    save_seconds: int

    def command(self) -> list[str]:
        """sbatch, held: it starts when it is released, and so never before its number is known."""
        asked = self.options
        gres = f"gpu:{asked.gpu_type}:{self.gpus}" if asked.gpu_type else f"gpu:{self.gpus}"
        words = [
            "sbatch", "--parsable", "--hold", "--no-requeue", "--open-mode=append", "--export=ALL",
            f"--job-name={self.name}", f"--comment={self.comment}", f"--gres={gres}", "--chdir=/",
            f"--output={self.output.replace('%', '%%')}", "--input=/dev/null",
        ]  # fmt: skip
        for name, value in (
            ("partition", asked.partition),
            ("account", asked.account),
            ("time", asked.time_limit),
            ("constraint", asked.constraint),
        ):
            if value:
                words.append(f"--{name}={value}")
        if self.save_seconds:
            words.append(f"--signal=B:USR2@{self.save_seconds}")
        return [*words, *asked.words(), str(self.script)]


def text(title: str, *, folder: str, runner: str, pythons: list[str]) -> str:
    """The script."""
    return _SCRIPT.format(
        title=title,
        folder=shlex.quote(folder),
        runner=shlex.quote(runner),
        pythons=" ".join(shlex.quote(python) for python in pythons),
        lag=LAG_SECONDS,
    )

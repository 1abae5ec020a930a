"""A machine for bootstrap.sh: its own PATH, stub repositories, a stand-in for Python and pip."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
TORCH = "torch=2.13.0+cpu torchvision=0.28.0 torchaudio=none\n"

# Answers what bootstrap.sh asks of an interpreter, and keeps a record of every pip call.
FAKE_PYTHON = """#!/bin/bash
here=FAKE
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >>"$here/calls" ;;
"-m pip")
  echo "$*" >>"$here/calls"
  if [ -s "$here/broken" ] && [[ "$*" == *$(cat "$here/broken")* ]]; then exit 1; fi ;;
*metadata*) cat "$here/torch" ;;
*smoke.py*) [ ! -e "$here/no-smoke" ] || { echo "ImportError: libcudart" >&2; exit 1; }
  echo "python 3.11.0 torch 2.13.0+cpu (no cuda)" ;;
esac
"""


class Machine:
    """A machine with its own PATH, a fake interpreter and one source folder per engine."""

    def __init__(self, root: Path, sources: Path) -> None:
        self.root = root
        self.engines = root / "engines"
        self.bin = root / "bin"
        self.bin.mkdir()
        (root / "torch").write_text(TORCH)
        self.program("python3.11", FAKE_PYTHON.replace("FAKE", str(root)))
        self.program("nvidia-smi", "#!/bin/sh\nexit 1\n")
        shutil.copytree(sources, root / "sources")
        self.aitk, self.kohya = root / "sources/aitk", root / "sources/kohya"
        self.env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(root),
            "ENGINES_DIR": str(self.engines),
            "ENGINE_PYTHON": "python3.11",
            "SKIP_SPACE_CHECK": "1",
            "AI_TOOLKIT_SOURCE": str(self.aitk),
            "AI_TOOLKIT_COMMIT": head(self.aitk),
            "KOHYA_SS_SOURCE": str(self.kohya),
            "KOHYA_SS_COMMIT": head(self.kohya),
            "DIFFUSERS_SOURCE": str(root / "no-diffusers"),
        }

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [shutil.which("bash") or "bash", SCRIPTS / "bootstrap.sh", *words],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def calls(self) -> list[str]:
        """What was asked of venv and pip since the last look."""
        record = self.root / "calls"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return lines

    def status(self) -> dict[str, tuple[str, str]]:
        found = json.loads((self.engines / "bootstrap-status.json").read_text())["engines"]
        return {one["engine"]: (one["step"], one["state"]) for one in found}


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *who, "-C", folder, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("# the engine\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "engine")
    return folder


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD")

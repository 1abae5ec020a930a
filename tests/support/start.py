"""A machine for start.sh: a checkout with a blank in its path, and a stand-in for Python and pip."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# All that start.sh may use beside Python; nothing else is on the machine's PATH.
TOOLS = ("bash", "cat", "chmod", "cksum", "cp", "dirname", "find", "flock", "grep", "head", "mkdir", "mv",
         "rm", "sed", "sleep", "tail", "touch")  # fmt: skip

# Answers what start.sh asks of an interpreter, and keeps a record of every installation.
FAKE_PYTHON = r"""#!/bin/bash
here='HERE'
case "$*" in
*version_info*) [ ! -e "$here/too-old" ]; exit ;;
*ensurepip*) [ ! -e "$here/no-ensurepip" ]; exit ;;
--version) echo "Python 3.9.2"; exit ;;
esac
case "$1 $2" in
"-m venv")
  echo venv >>"$here/calls"
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "version = 3.12.1" >"$3/pyvenv.cfg" ;;
"-m virtualenv") exit 1 ;;
"-m pip")
  [ "$3" = --version ] && exit 0
  echo "pip ${*: -2}" >>"$here/calls"
  touch "$here/pip-runs"
  while [ -e "$here/slow" ]; do sleep 0.01; done
  if [ -s "$here/broken" ]; then cat "$here/broken" >&2; exit 1; fi
  bin=${0%/*}
  printf '#!/bin/bash\necho "ran $*"\n' >"$bin/vast-lora"
  chmod +x "$bin/vast-lora" ;;
esac
"""


class StartMachine:
    """A checkout, an interpreter and a PATH, all of them below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkout = root / "a checkout"
        (self.checkout / "scripts").mkdir(parents=True)
        for name in ("start.sh", "environment.sh", "help.sh"):
            shutil.copy2(ROOT / "scripts" / name, self.checkout / "scripts" / name)
        (self.checkout / "requirements.lock").write_text("flask==3.1.3\n")
        (self.checkout / "pyproject.toml").write_text("[project]\n")
        self.bin = root / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)
        self.python = self.bin / "python3.12"
        self.python.write_text(FAKE_PYTHON.replace("HERE", str(root)))
        self.python.chmod(0o755)

    @property
    def venv(self) -> Path:
        return self.checkout / ".venv"

    @property
    def stamp(self) -> Path:
        return self.venv / ".made-from-run"

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.checkout / "scripts/start.sh", *words],
            cwd="/", env={"PATH": str(self.bin)} | env, start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def calls(self) -> list[str]:
        """What was made and installed since the last look."""
        record = self.root / "calls"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return lines

"""Any remote that rclone knows, through its own program. It is told names only, never a key."""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.delivery.remotes import PIECE, RIGHT, Local, Told, differs, digest, wrong_size
from app.errors import UserError
from app.tasks import RetryLaterError

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CONFIG_HOME", "HTTPS_PROXY", "https_proxy",
         "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
_HASHES = ("sha256", "sha1", "md5")
_FATAL = {
    3: "rclone found no such folder at {place}. Check the place of this target.",
    7: "rclone ended with a fatal error; the log tells more.",
    8: "rclone may transfer no more (--max-transfer). Raise that limit, then press Go on.",
}


class RcloneRemote:
    """``place`` is remote:folder."""

    def __init__(self, place: str, config: str) -> None:
        program = shutil.which("rclone")
        if program is None:
            raise UserError("rclone is not installed on this machine. Install it, or use S3.")
        self._place = place
        self._program = [program, *(("--config", config) if config else ())]
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT or name.startswith("RCLONE_")
        }
        # Nobody is there to type the password of an encrypted config.
        self._environment["RCLONE_ASK_PASSWORD"] = "false"

    def prepare(self) -> str:
        self._run("mkdir", "--", self._place)
        return self._place

    def send(self, files: Sequence[Local], told: Told) -> None:
        for file in files:
            self._run("copyto", "--retries", "1", "--", str(file.path), self._at(file.name))
            told(file.size, file.name)

    def check(self, files: Sequence[Local]) -> dict[str, str]:
        answer = self._run(
            "lsjson", "--hash", "--recursive", "--files-only", "--no-modtime", "--", self._place
        )
        there = {entry["Path"]: entry for entry in json.loads(answer or b"[]")}
        return {f.name: self._verdict(f, there[f.name]) for f in files if f.name in there}

    def _verdict(self, file: Local, entry: dict[str, object]) -> str:
        size, hashes = entry.get("Size"), entry.get("Hashes")
        # Some remotes (encrypting ones, documents) tell no size: the hash decides.
        if isinstance(size, int) and size not in (-1, file.size):
            return wrong_size(size, file.size)
        for kind in _HASHES:
            if isinstance(hashes, dict) and hashes.get(kind):
                there, here = str(hashes[kind]), digest(file.path, kind)
                return RIGHT if there == here else differs(kind, there, here)
        there = self._read_back(file.name)
        return RIGHT if there == file.sha256 else differs("sha256", there, file.sha256)

    def _read_back(self, name: str) -> str:
        """The sha256 of what lies there, for remotes that keep no hashes."""
        found = hashlib.sha256()
        with subprocess.Popen(
            [*self._program, "cat", "--", self._at(name)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self._environment,
        ) as child:
            assert child.stdout is not None
            while piece := child.stdout.read(PIECE):
                found.update(piece)
        if child.returncode:
            raise RetryLaterError(f"rclone could not read {name} back.")
        return found.hexdigest()

    def _at(self, name: str) -> str:
        return f"{self._place.rstrip('/')}/{name}"

    def _run(self, *arguments: str) -> bytes:
        # Its complaints go to the log of the task: they name files, not keys.
        done = subprocess.run(
            [*self._program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            env=self._environment, check=False,
        )  # fmt: skip
        if done.returncode in _FATAL and arguments[0] != "lsjson":
            raise UserError(_FATAL[done.returncode].format(place=self._place))
        if done.returncode:
            raise RetryLaterError(
                f"rclone {arguments[0]} ended with code {done.returncode}; the log tells more."
            )
        return done.stdout


def remotes(config: Path | None = None) -> list[str]:
    """Names of the configured remotes, read from the file's headings; empty where there is none."""
    path = config or os.environ.get("RCLONE_CONFIG") or "~/.config/rclone/rclone.conf"
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(Path(os.path.expanduser(path)).read_text("utf-8"))
    except (OSError, ValueError, configparser.Error):
        return []  # none, not ours to read, or an encrypted one
    return parser.sections()

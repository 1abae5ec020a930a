"""Checks that a LoRA file loads and holds finite numbers, in a process of its own.

``python -m app.artifacts.verify PATH`` prints the verdict as JSON; numpy is loaded there and
never in the server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.artifacts.safetensors import Header, TornSafetensorsError, read_header
from app.settings import ROOT

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Verdict:
    """``ok`` means that it loads, has tensors, and every number is finite; else ``sentence``."""

    ok: bool
    sentence: str = ""
    tensors: int = 0
    rank: int | None = None


def verify(path: Path) -> Verdict:
    """Look at every number. Reads the file once, in blocks of 4 MB."""
    try:
        header = read_header(path)
    except TornSafetensorsError as error:
        return Verdict(False, str(error))
    except OSError as error:
        return Verdict(False, f"{path.name} cannot be read: {error.strerror}.")
    if not header.tensors:
        return Verdict(False, f"{path.name} holds no tensors.")
    bad = _not_finite(path, header)
    count = len(header.tensors)
    if bad:
        return Verdict(
            False,
            f"{path.name} holds numbers that are not finite (NaN) in {len(bad)} of {count} tensors; "
            "the training diverged.",
            count,
            header.rank,
        )
    return Verdict(True, "", count, header.rank)


def _not_finite(path: Path, header: Header) -> list[str]:
    import numpy as np

    # A float is not finite when all bits of its exponent are set; read as integers, this needs
    # no support for bfloat16.
    exponents: dict[str, tuple[Any, int]] = {
        "F16": (np.uint16, 0x7C00),
        "BF16": (np.uint16, 0x7F80),
        "F32": (np.uint32, 0x7F800000),
        "F64": (np.uint64, 0x7FF0000000000000),
        "F8_E5M2": (np.uint8, 0x7C),
        "F8_E4M3": (np.uint8, 0x7F),
    }
    bad = []
    with path.open("rb") as file:
        for name, (dtype, _, (start, end)) in header.tensors.items():
            if dtype not in exponents:
                continue
            kind, mask = exponents[dtype]
            file.seek(header.data_start + start)
            left = end - start
            while left > 0:
                block = np.frombuffer(file.read(min(left, _BLOCK)), dtype=kind)
                left -= block.nbytes
                if block.nbytes == 0 or bool(np.any((block & mask) == mask)):
                    bad.append(name)
                    break
    return bad


def verify_in_child(path: Path, timeout: float) -> Verdict:
    """The same in a child process; ``timeout`` in seconds."""
    command = [sys.executable, "-c", "from app.artifacts.verify import main; main()", str(path)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return Verdict(False, f"{path.name} could not be checked: {last}.")
        return Verdict(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return Verdict(False, f"{path.name} could not be checked within {timeout:.0f} s.")
    except (OSError, ValueError, TypeError) as error:
        return Verdict(False, f"{path.name} could not be checked: {error}.")


def main() -> None:
    """Print the verdict about the file named by the first argument."""
    print(json.dumps(asdict(verify(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()

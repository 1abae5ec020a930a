"""Rounds of chaos, one after another: ``python -m tests.support.chaos_run --rounds 200``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.jobs import processes
from tests.support import slurm
from tests.support.chaos import Chaos
from tests.support.chaos_slurm import SlurmChaos


def run(
    rounds: int,
    seed: int,
    say: Callable[[str], None],
    *,
    executor: str = "local",
    seconds: float = float("inf"),
) -> Chaos:
    """So many rounds on a fresh folder, or fewer in ``seconds``. Raises ViolationError at the first lie."""
    over = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(Path(folder), seed) if executor == "local" else SlurmChaos(Path(folder), seed)
        try:
            chaos.start()
            for number in range(1, rounds + 1):
                if time.monotonic() > over:
                    break
                say(f"{number:4} {chaos.round()}")
            chaos.end()
        except BaseException:
            say(f"fault: {chaos.fault}")
            say(chaos.server.log.read_text(errors="replace")[-3000:])
            raise
        finally:
            chaos.server.kill()
            if chaos.small_disk:
                subprocess.run(["umount", "-l", str(chaos.server.data)], check=False)
            if isinstance(chaos, SlurmChaos):
                chaos.cluster.stop()
            for marker in chaos.markers:
                processes.end(processes.marked(marker))
    return chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--executor", choices=("local", "slurm"), default="local")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    if options.executor == "slurm" and (why := slurm.missing()):
        parser.error(why)
    chaos = run(
        options.rounds,
        options.seed,
        lambda text: print(text, flush=True),
        executor=options.executor,
    )
    for name, count in sorted(chaos.outcomes.items()):
        print(f"{count:5} x {name}")
    print(f"{options.rounds} rounds without a violation; slowest start {chaos.slowest_start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

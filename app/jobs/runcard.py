"""The run card: enough written down to repeat a run, in ``run-card.json``."""

from __future__ import annotations

import logging
import platform as host
import threading
import time
from pathlib import Path
from typing import Any

from app import datasets
from app.jobs import installations
from app.jobs.installations import Installation
from app.jobs.rundir import RunDir, TornFileError, read_json, write_json_atomic
from engines.base import LaunchPlan
from engines.spec import JobSpec

log = logging.getLogger(__name__)
_lock, _reading = threading.Lock(), threading.Lock()


def write(
    run: RunDir,
    spec: JobSpec,
    installation: Installation,
    plan: LaunchPlan,
    gpus: tuple[int, ...],
) -> None:
    """Write what is known at the start: spec, engine and its commit, command, machine."""
    _merge(
        run,
        {
            "spec": spec.model_dump(mode="json", by_alias=True),
            "engine": {
                "name": installation.name,
                "home": str(installation.home),
                "commit": installations.commit_of(installation.home) or None,
                "python": installation.python,
            },
            "command": {"argv": list(plan.argv), "cwd": str(plan.cwd)},
            "planned_steps": plan.total_steps,
            "gpus": list(gpus),
            "machine": {"system": host.platform(), "node": host.node()},
            "started": time.time(),
        },
    )


def fingerprint_later(run: RunDir, spec: JobSpec) -> None:
    """Add sha256 sums of the datasets in the background; hours of training follow anyway."""

    def work() -> None:
        try:
            with _reading:  # one job's at a time: trainings want the same disk
                _merge(run, _sums(run, spec))
        except OSError as error:
            log.warning("no fingerprint for %s: %s", run.root, error)

    threading.Thread(target=work, name=f"fingerprint-{run.root.name}", daemon=True).start()


def _sums(run: RunDir, spec: JobSpec) -> dict[str, Any]:
    """Sums of what is there now; those of an earlier attempt where no file changed its size or time."""
    known = _known(run)
    had, when = known.get("datasets") or {}, known.get("dataset_stamps") or {}
    seen, sums = {}, {}
    for path in (dataset.path for dataset in spec.datasets):
        # Times and sizes first: what is changed while it is read shows as changed later.
        seen[path] = {name: list(stamp) for name, stamp in datasets.stamps(Path(path)).items()}
        same = path in had and when.get(path) == seen[path]
        sums[path] = had[path] if same else datasets.fingerprint(Path(path))
    return {"datasets": sums, "dataset_stamps": seen}


def _merge(run: RunDir, values: dict[str, Any]) -> None:
    with _lock:
        write_json_atomic(run.run_card, {**_known(run), **values})


def _known(run: RunDir) -> dict[str, Any]:
    try:
        return read_json(run.run_card) or {}
    except TornFileError as error:
        log.warning("%s: written anew", error)
        return {}

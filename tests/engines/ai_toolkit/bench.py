"""A run directory with the real ai-toolkit on it, driven as the app drives it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from PIL import Image

from engines.ai_toolkit import AiToolkit
from engines.base import DatasetFacts, SavedState, Workspace
from engines.spec import JobSpec
from tests.support.wait import until

DRAWING = {"steps": 2, "width": 64, "height": 64}
ENGINE = AiToolkit()
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Bench:
    """A run directory and the trainer on it."""

    def __init__(self, root: Path, family: str) -> None:
        self.root = root
        self.family = family
        self.log = root / "log.txt"
        self.workspace = Workspace(
            native=root / "native",
            output=root / "output",
            logs=root / "logs",
            home=Path(os.environ["AI_TOOLKIT_DIR"]),
            python=os.environ["AI_TOOLKIT_PYTHON"],
            job_id="7",
        )
        for folder in (self.workspace.native, self.workspace.output):
            folder.mkdir(parents=True)

    def pictures(self, name: str) -> str:
        """A copy of the tiny dataset, for the engine writes its caches beside the pictures."""
        return str(shutil.copytree(os.environ["TINY_AITK_DATA"], self.root / name))

    def spec(self, **given):
        model = os.environ["TINY_AITK_SD15" if self.family == "sd15" else "TINY_AITK_SDXL"]
        datasets = given.pop("datasets", None) or [
            {"path": self.pictures("pictures"), "resolution": [64]}
        ]
        return JobSpec.model_validate(
            {
                "name": "tiny-dog",
                "family": self.family,
                "base_model": model,
                "trigger_word": "zxq",
                "datasets": datasets,
                "network": {"rank": 4, "alpha": 4},
                "optimizer": {"name": "adamw"},
                "length": {"steps": 6},
                "memory": {"mixed_precision": "fp32", "gradient_checkpointing": False},
                "saving": {"every_steps": 3, "keep": 2},
                "sampling": {"every_steps": 3, "steps": 2, "width": 64, "height": 64},
                **given,
            }
        )

    def facts(self, spec: JobSpec) -> tuple[DatasetFacts, ...]:
        """Sizes of the pictures, as the app would find them."""
        found = []
        for dataset in spec.datasets:
            sizes = [size_of(path) for path in sorted(Path(dataset.path).glob("*.png"))]
            found.append(DatasetFacts(tuple((w, h, 1) for w, h in sizes), len(sizes)))
        return tuple(found)

    def start(self, spec: JobSpec, **changes):
        """Write the plan's files and start the trainer; the plan and the process."""
        plan = ENGINE.plan(spec, replace(self.workspace, datasets=self.facts(spec), **changes))
        for name, text in plan.files.items():
            (self.workspace.native / name).write_text(text, "utf-8")
        table = plan.control
        with closing(sqlite3.connect(table.path)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS Job")
            connection.execute(table.schema)
            connection.execute(table.insert, table.parameters)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                plan.argv,
                cwd=plan.cwd,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **plan.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return plan, process

    def run(self, spec: JobSpec, **changes):
        """Train to the end; the plan."""
        plan, process = self.start(spec, **changes)
        assert process.wait(300) == 0, self.tail()
        return plan

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    def told(self):
        """Everything the log says, as the app would hand it to parse()."""
        text = ESCAPES.sub("", self.log.read_text("utf-8", "replace"))
        return [told for piece in re.split(r"[\r\n]", text) if (told := ENGINE.parse(piece))]

    def row(self, column: str):
        with closing(sqlite3.connect(self.root / "control.db", timeout=10)) as connection:
            return connection.execute(f"SELECT {column} FROM Job").fetchone()[0]

    def order(self, step) -> None:
        """Do one step of a plan as the runner does it, waiting for its query to be true."""
        with closing(sqlite3.connect(step.path, timeout=10, isolation_level=None)) as connection:
            assert connection.execute(step.statement, step.parameters).rowcount == 1
            if step.until:
                until(
                    lambda: connection.execute(step.until, step.until_parameters).fetchone()[0],
                    timeout=120,
                    what=step.until,
                )

    def outputs(self):
        """What classify() calls the files, by relative path."""
        output = self.workspace.output
        names = sorted(str(p.relative_to(output)) for p in output.rglob("*") if p.is_file())
        found = {name: ENGINE.classify(name, "tiny-dog") for name in names}
        return {name: file for name, file in found.items() if file}

    def states(self):
        """Checkpoints as the app hands them to resume_point()."""
        return [
            SavedState(
                file,
                self.workspace.output / name,
                True,
                (self.workspace.output / name).stat().st_mtime,
                json.loads(metadata(self.workspace.output / name)["training_info"])["step"],
            )
            for name, file in self.outputs().items()
            if file.kind == "lora"
        ]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def header(path: Path) -> dict:
    with path.open("rb") as file:
        return json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))


def metadata(path: Path) -> dict:
    return header(path)["__metadata__"]

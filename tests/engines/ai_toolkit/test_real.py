"""The real ai-toolkit with tiny random models, started from the files that plan() writes.

Needs AI_TOOLKIT_DIR, AI_TOOLKIT_PYTHON, TINY_AITK_SD15, TINY_AITK_SDXL and TINY_AITK_DATA
(README, "Tests"). Each test trains for half a minute or more on a CPU.
"""

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

import pytest
from PIL import Image

from engines.ai_toolkit import AiToolkit, lossdb
from engines.base import DatasetFacts, SavedState, Workspace
from engines.spec import JobSpec
from tests.support.wait import until

NEEDED = (
    "AI_TOOLKIT_DIR", "AI_TOOLKIT_PYTHON", "TINY_AITK_SD15", "TINY_AITK_SDXL", "TINY_AITK_DATA",
)  # fmt: skip
MISSING = [name for name in NEEDED if not os.environ.get(name)]

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not set: {', '.join(MISSING)}"),
]

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


def test_sd15_trains_saves_samples_and_tells_how_far_it_is(tmp_path):
    bench = Bench(tmp_path, "sd15")
    spec = bench.spec(
        length={"epochs": 1},
        sampling={**DRAWING, "every_steps": 3, "prompts": ["a dog", "zxq cat"]},
    )
    plan = bench.run(spec)
    told = bench.told()
    assert plan.total_steps == 6
    assert {t.total for t in told if t.step is not None} == {6}
    assert max(t.step for t in told if t.step is not None) == 6
    assert {str(t.phase) for t in told if t.phase} >= {
        "starting", "loading", "caching", "sampling", "saving", "training",
    }  # fmt: skip
    files = bench.outputs()
    assert plan.final in files
    assert files[plan.final].final
    assert "tiny-dog/tiny-dog_000000003.safetensors" in files
    drawn = {(f.step, f.prompt) for f in files.values() if f.kind == "sample"}
    assert drawn == {(step, prompt) for step in (0, 3, 6) for prompt in (0, 1)}
    assert metadata(tmp_path / "output" / plan.final)["ss_network_dim"] == "4"
    with closing(sqlite3.connect(tmp_path / "output/tiny-dog/loss_log.db")) as connection:
        rows = [lossdb.reading(row) for row in connection.execute(lossdb.QUERY, (0, 100))]
    assert [row.step for row in rows] == [2, 3, 4, 5, 6]
    assert all(row.loss and row.loss > 0 and row.learning_rate == 1e-4 for row in rows)
    assert bench.row("status") == "completed"


def test_sdxl_trains_a_lokr_with_ema_on_two_folders_and_counts_its_epochs(tmp_path):
    bench = Bench(tmp_path, "sdxl")
    spec = bench.spec(
        datasets=[
            {"path": bench.pictures("one"), "resolution": [64, 96], "repeats": 2, "flip": True},
            {"path": bench.pictures("two"), "resolution": [64]},
        ],
        network={"type": "lokr", "rank": 4, "alpha": 4},
        optimizer={"name": "adafactor", "scheduler": "constant", "warmup_steps": 2},
        batch={"size": 2, "gradient_accumulation": 2},
        ema={"enabled": True, "decay": 0.9},
        length={"epochs": 1},
        saving={"every_steps": 100, "precision": "bf16"},
        memory={"mixed_precision": "bf16", "cache_latents": "memory"},
    )
    plan = bench.run(spec)
    log = bench.log.read_text("utf-8", "replace")
    found = [
        int(count)
        for block in re.split(r"Bucket sizes for", log)[1:]
        for count in re.findall(r"^\d+x\d+: (\d+) files", block, re.MULTILINE)
    ]
    assert sum(found) == 24 + 24 + 6
    assert plan.total_steps == -(-sum(-(-count // 2) for count in found) // 2)
    head = header(tmp_path / "output" / plan.final)
    assert any("lokr" in key for key in head)
    assert {entry["dtype"] for key, entry in head.items() if key != "__metadata__"} == {"BF16"}
    assert "Using EMA" in log


def test_a_locon_trains_convolutions(tmp_path):
    bench = Bench(tmp_path, "sd15")
    spec = bench.spec(
        network={"type": "locon", "rank": 4, "alpha": 4, "conv_rank": 2, "conv_alpha": 1},
        length={"steps": 2},
    )
    plan = bench.run(spec)
    keys = header(tmp_path / "output" / plan.final)
    shapes = [entry["shape"] for key, entry in keys.items() if "lora_down" in key]
    assert any(len(shape) == 4 and shape[-1] == 3 and shape[0] == 2 for shape in shapes)


def test_a_stop_by_the_control_table_ends_it_and_it_resumes_where_it_saved(tmp_path):
    bench = Bench(tmp_path, "sd15")
    spec = bench.spec(length={"steps": 4000}, saving={"every_steps": 1000})
    plan, process = bench.start(spec)
    until(lambda: bench.row("step") >= 5, timeout=200, what="five steps")
    save, stop = plan.save_and_stop[:2]
    bench.order(save)
    bench.order(stop)
    assert process.wait(60) == 1
    assert bench.row("status") == "stopped"
    point = ENGINE.resume_point(bench.states(), None)
    assert point is not None
    assert point.step >= 5
    assert not point.weights_only
    assert point.path.name == f"tiny-dog_{point.step:09d}.safetensors"

    more = spec.model_copy(
        update={"length": spec.length.model_copy(update={"steps": point.step + 3})}
    )
    again = bench.run(more, resume=point)
    steps = [t.step for t in bench.told() if t.step is not None]
    assert again.start_step == point.step
    assert (min(steps), max(steps)) == (point.step, point.step + 3)
    assert metadata(tmp_path / "output" / again.final)["training_info"].startswith(
        f'{{"step": {point.step + 3}'
    )


def test_a_save_and_a_sample_can_be_had_while_it_goes_on(tmp_path):
    bench = Bench(tmp_path, "sd15")
    spec = bench.spec(
        length={"steps": 4000},
        saving={"every_steps": 1000},
        sampling={**DRAWING, "every_steps": 1000, "prompts": ["a dog"]},
    )
    plan, process = bench.start(spec)
    until(lambda: bench.row("step") >= 2, timeout=200, what="two steps")
    bench.order(plan.save_now[0])
    bench.order(plan.sample_now[0])
    until(
        lambda: any(f.kind == "sample" and f.step for f in bench.outputs().values()),
        timeout=60,
        what="a sample",
    )
    bench.order(plan.stop[0])
    assert process.wait(60) == 1
    assert [f for f in bench.outputs().values() if f.kind == "lora" and not f.final]


def test_it_starts_from_another_jobs_lora(tmp_path):
    first = Bench(tmp_path / "first", "sd15")
    plan = first.run(first.spec(length={"steps": 2}))
    finished = first.workspace.output / plan.final
    second = Bench(tmp_path / "second", "sd15")
    second.run(second.spec(length={"steps": 2}, resume={"from": str(finished)}))
    assert f"Using pretrained lora path from config: {finished}" in second.log.read_text("utf-8")
    assert min(t.step for t in second.told() if t.step is not None) == 0

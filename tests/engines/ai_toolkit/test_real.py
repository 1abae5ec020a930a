"""The real ai-toolkit with tiny random models, started from the files that plan() writes.

Needs AI_TOOLKIT_DIR, AI_TOOLKIT_PYTHON, TINY_AITK_SD15, TINY_AITK_SDXL and TINY_AITK_DATA
(CONTRIBUTING, "Tests"). Each test trains for half a minute or more on a CPU.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from contextlib import closing

import pytest

from engines.ai_toolkit import lossdb
from tests.engines.ai_toolkit.bench import DRAWING, ENGINE, Bench, header, metadata
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


def test_regularisation_pictures_and_the_text_encoder_train_for_whole_epochs(tmp_path):
    bench = Bench(tmp_path, "sd15")
    spec = bench.spec(
        datasets=[
            {"path": bench.pictures("dog"), "resolution": [64]},
            {"path": bench.pictures("any"), "resolution": [64], "regularisation": True},
        ],
        optimizer={
            "name": "prodigy", "learning_rate": 1, "text_encoder_learning_rate": 1,
            "scheduler": "cosine", "arguments": {"d_coef": 0.5},
        },
        length={"epochs": 2},
        batch={"size": 2},
    )  # fmt: skip
    plan = bench.run(spec)
    final = metadata(tmp_path / "output" / plan.final)
    assert final["training_info"] == f'{{"step": {plan.total_steps}, "epoch": 1}}'
    keys = header(tmp_path / "output" / plan.final)
    assert any(key.startswith("lora_te") for key in keys)


def test_an_interrupt_ends_it_within_its_grace_and_loses_only_what_was_not_saved(tmp_path):
    bench = Bench(tmp_path, "sd15")
    plan, process = bench.start(bench.spec(length={"steps": 4000}, saving={"every_steps": 4}))
    until(lambda: len(bench.states()) >= 2, timeout=200, what="two saves")
    interrupt = plan.stop[1]
    os.killpg(process.pid, getattr(signal, interrupt.signal))
    assert process.wait(interrupt.grace) == 0
    assert bench.row("status") == "stopped"
    point = ENGINE.resume_point(bench.states(), None)
    assert point is not None
    assert point.step % 4 == 0

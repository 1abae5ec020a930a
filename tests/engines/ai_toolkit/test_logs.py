"""The recorded logs of real runs, piece by piece, as the app hands them over."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from engines.ai_toolkit import AiToolkit
from engines.base import Phase, Progress

REPLAY = Path(__file__).parents[2] / "replay" / "ai_toolkit"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def told(run: str) -> list[Progress]:
    text = ESCAPES.sub("", (REPLAY / run / "log.raw").read_bytes().decode("utf-8", "replace"))
    pieces = re.split(r"[\r\n]", text)
    return [said for piece in pieces if (said := AiToolkit().parse(piece)) is not None]


def steps(run: str) -> list[int]:
    return [said.step for said in told(run) if said.step is not None]


def phases(run: str) -> list[Phase]:
    """Each phase once for as long as it lasts."""
    found: list[Phase] = []
    for said in told(run):
        if said.phase is not None and found[-1:] != [said.phase]:
            found.append(said.phase)
    return found


@pytest.mark.parametrize(
    ("run", "first", "last", "total"),
    [
        ("success_pipe", 0, 12, 12),
        ("sdxl_full", 0, 6, 6),
        ("sigint_resume", 8, 12, 400),
        ("extend_with_broken_optimizer", 6, 10, 10),
        ("warm_te", 0, 12, 12),
    ],
)
def test_the_training_bar_alone_counts_steps(run, first, last, total):
    seen = steps(run)
    assert (seen[0], seen[-1]) == (first, last)
    assert seen == sorted(seen)
    assert {said.total for said in told(run) if said.step is not None} == {total}


def test_a_whole_run_goes_through_its_phases():
    assert phases("success_pipe") == [
        Phase.STARTING, Phase.LOADING, Phase.CACHING, Phase.SAMPLING, Phase.TRAINING,
        Phase.SAVING, Phase.SAMPLING, Phase.TRAINING, Phase.SAVING, Phase.SAMPLING, Phase.TRAINING,
        Phase.SAVING, Phase.SAMPLING,
    ]  # fmt: skip


def test_loss_rate_and_speed_are_read_from_the_bar():
    last = [said for said in told("success_pipe") if said.step == 12][-1]
    assert last.loss == pytest.approx(1.021)
    assert last.learning_rate == pytest.approx(1e-4)
    assert last.seconds_per_step == pytest.approx(1 / 3.42)
    slow = next(said for said in told("sdxl_full") if said.step == 1)
    assert slow.seconds_per_step == pytest.approx(3.90)


def test_every_save_is_told_with_its_file():
    saved = [Path(said.saved).name for said in told("success_pipe") if said.saved]
    assert saved == ["ok_000000004.safetensors", "ok_000000008.safetensors", "ok.safetensors"]


def test_a_loss_that_became_nan_is_told_and_the_nought_in_its_place_is_not():
    losses = [said.loss for said in told("nan") if said.loss is not None]
    bad = [loss for loss in losses if math.isnan(loss)]
    assert len(bad) == 11
    assert all(loss > 1 for loss in losses if not math.isnan(loss))


@pytest.mark.parametrize(
    "run", ["missing_model", "missing_dataset", "missing_hub_model", "bad_optimizer", "envvar"]
)
def test_a_run_that_never_trained_tells_no_step(run):
    assert steps(run) == []


def test_on_a_terminal_without_a_size_there_are_no_bars_but_saves_are_told():
    assert steps("success_pty") == []
    assert any(said.saved for said in told("success_pty"))


@pytest.mark.parametrize(
    ("piece", "phase"),
    [
        ("Fetching 14 files:  21%|██        | 3/14 [00:01<00:06,  1.62it/s]", Phase.DOWNLOADING),
        (
            "model.safetensors:  40%|████      | 4.0G/9.9G [00:40<01:00, 98.1MB/s]",
            Phase.DOWNLOADING,
        ),
        ("Loading checkpoint shards:  50%|█████     | 1/2 [00:01<00:01,  1.1s/it]", Phase.LOADING),
        ("Quantizing Transformer", Phase.LOADING),
        ("Caching text embeddings to disk:   0%|  | 0/12 [00:00<?, ?it/s]", Phase.CACHING),
        ("Sampling at step 12", Phase.SAMPLING),
    ],
)
def test_bars_of_other_things_tell_the_phase_only(piece, phase):
    assert AiToolkit().parse(piece) == Progress(phase=phase)


@pytest.mark.parametrize(
    "piece",
    ["", " - 0.2186s avg - train_loop, num = 10", '    "prompt": "Saved checkpoint to x",',
     "Timer 'ok Timer':", "ok:   0%|          | 0/12 [00:00<?, ?it/s]", "{"],
)  # fmt: skip
def test_other_lines_tell_nothing(piece):
    assert AiToolkit().parse(piece) is None

"""What lies in the output folder, and what an attempt goes on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.ai_toolkit import AiToolkit
from engines.ai_toolkit.output import quarantine
from engines.base import OutputFile, ResumePoint, SavedState

REPLAY = Path(__file__).parents[2] / "replay" / "ai_toolkit"
ENGINE = AiToolkit()


def state(name: str, *, mtime: float, step: int | None = None, whole: bool = True) -> SavedState:
    file = ENGINE.classify(f"dog/{name}", "dog")
    assert file is not None
    return SavedState(file, Path("/out/dog") / name, whole, mtime, step)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dog/dog_000000250.safetensors", ("lora", 250, None, False)),
        ("dog/dog.safetensors", ("lora", None, None, True)),
        ("dog/dog_000000250_high_noise.safetensors", ("lora", 250, None, False)),
        ("dog/dog_low_noise.safetensors", ("lora", None, None, True)),
        ("dog/optimizer.pt", ("state", None, None, False)),
        ("dog/samples/1795441283784__000000250_03.jpg", ("sample", 250, 3, False)),
        ("dog/samples/1795441283784__000000000_0.webp", ("sample", 0, 0, False)),
        ("dog/samples/1795441283784__000000100_0.mp4", ("sample", 100, 0, False)),
        ("dog/.tmpA1b2C3", ("partial", None, None, False)),
    ],
)
def test_a_files_name_tells_what_it_is(path, expected):
    kind, step, prompt, final = expected
    assert ENGINE.classify(path, "dog") == OutputFile(
        path, kind, step=step, prompt=prompt, final=final
    )


@pytest.mark.parametrize(
    "path",
    [
        "dog", "dog/config.yaml", "dog/loss_log.db", "dog/loss_log.db-wal", "dog/samples",
        "dog/samples/.thumbs/1795441283784__000000250_0.jpg.jpg", "dog/samples/.tmp/x.jpg",
        "dog/doghouse_000000250.safetensors", "other/other.safetensors", "dog/plugin.html",
    ],
)  # fmt: skip
def test_what_does_not_matter_is_nothing(path):
    assert ENGINE.classify(path, "dog") is None


def test_every_file_of_the_recorded_runs_is_known_or_does_not_matter():
    kinds: dict[str, set[str]] = {}
    for line in (REPLAY / "tree.txt").read_text("utf-8").splitlines():
        path = line.removeprefix("./")
        name = path.split("/")[0]
        if name.startswith(".") or "/" not in path or name in ("tiny_sd15", "ok_pty"):
            continue
        file = ENGINE.classify(path, name)
        ending = path.rpartition(".")[2]
        kinds.setdefault(ending, set()).add(file.kind if file else "")
    assert kinds["safetensors"] == {"lora"}
    assert kinds["pt"] == {"state"}
    assert kinds["jpg"] <= {"sample", ""}
    assert "sample" in kinds["jpg"]


def test_the_newest_whole_checkpoint_is_gone_on_from_by_its_own_step():
    found = ENGINE.resume_point(
        [
            state("dog_000000008.safetensors", mtime=20, step=8),
            state("dog_000000004.safetensors", mtime=10, step=4),
            state("optimizer.pt", mtime=30),
        ],
        None,
    )
    assert found == ResumePoint(Path("/out/dog/dog_000000008.safetensors"), 8)


def test_a_finished_file_is_gone_on_from_at_its_last_step():
    states = [
        state("dog_000000008.safetensors", mtime=20, step=8),
        state("dog.safetensors", mtime=30, step=12),
    ]
    found = ENGINE.resume_point(states, None)
    assert found is not None
    assert (found.path.name, found.step) == ("dog.safetensors", 12)


def test_a_torn_checkpoint_is_not_taken_for_whole():
    states = [
        state("dog_000000008.safetensors", mtime=20, whole=False),
        state("dog_000000004.safetensors", mtime=10, step=4),
    ]
    found = ENGINE.resume_point(states, None)
    assert found is not None
    assert found.step == 4
    assert [file.step for file in quarantine(states)] == [8]


def test_half_of_a_torn_pair_is_moved_away_with_it():
    states = [
        state("dog_000000008_high_noise.safetensors", mtime=20, step=8),
        state("dog_000000008_low_noise.safetensors", mtime=21, whole=False),
        state("dog_000000004_high_noise.safetensors", mtime=10, step=4),
        state("dog_000000004_low_noise.safetensors", mtime=11, step=4),
    ]
    found = ENGINE.resume_point(states, None)
    assert found is not None
    assert found.step == 4
    assert {file.step for file in quarantine(states)} == {8}
    assert len(quarantine(states)) == 2


def test_nothing_saved_starts_at_nought():
    assert ENGINE.resume_point([], None) is None
    assert ENGINE.resume_point([state("optimizer.pt", mtime=1)], None) is None


def test_a_file_that_the_engine_did_not_write_gives_its_weights_only():
    found = ENGINE.resume_point([state("dog.safetensors", mtime=1)], None)
    assert found is not None
    assert (found.step, found.weights_only) == (0, True)


def test_recorded_files_tell_the_step_that_their_names_do():
    recorded = json.loads((REPLAY / "safetensors_metadata.json").read_text("utf-8"))
    file = ENGINE.classify("ok/ok_000000008.safetensors", "ok")
    assert file is not None
    assert json.loads(recorded["ok/ok_000000008"]["metadata"]["training_info"])["step"] == file.step

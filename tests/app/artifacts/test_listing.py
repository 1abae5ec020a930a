"""What a run wrote, and which of its saved states are whole."""

from __future__ import annotations

import os
import shutil

import pytest

from app.artifacts import find, saved_states
from engines.ai_toolkit import AiToolkit
from engines.kohya_ss import KohyaSs
from tests.support.artifacts import kohya_state, lora, tear, torch_zip

KOHYA, TOOLKIT = KohyaSs(), AiToolkit()


def kohya_output(root):
    for name in ("dog-000001", "dog-000002", "dog"):
        lora(root / f"{name}.safetensors")
    kohya_state(root / "dog-000001-state")
    kohya_state(root / "dog-000002-state")
    (root / "sample").mkdir()
    for name in ("dog_e000002_00_20261123133810_1.png", "dog_e000001_01_20261123133810.png"):
        (root / "sample" / name).write_bytes(b"png")
    return root


def toolkit_output(root):
    folder = root / "dog"
    for step in (4, 8):
        name = f"dog_{step:09}.safetensors"
        lora(folder / name, metadata={"training_info": f'{{"step": {step}, "epoch": 0}}'})
    torch_zip(folder / "optimizer.pt")
    (folder / "samples").mkdir()
    (folder / "samples" / "1795444136000__000000004_1.jpg").write_bytes(b"jpg")
    return root


def test_kohya_output_is_sorted_into_loras_states_and_samples(tmp_path):
    found = find(kohya_output(tmp_path), KOHYA, "dog")
    assert [a.path.name for a in found.loras] == [
        "dog-000001.safetensors", "dog-000002.safetensors", "dog.safetensors",
    ]  # fmt: skip
    assert [a.file.final for a in found.loras] == [False, False, True]
    assert [a.file.epoch for a in found.states] == [1, 2]
    assert [a.file.epoch for a in found.samples] == [1, 2]


def test_the_size_of_a_state_is_that_of_its_files(tmp_path):
    state = kohya_state(tmp_path / "dog-000001-state")
    total = sum(file.stat().st_size for file in state.iterdir())
    assert find(tmp_path, KOHYA, "dog").states[0].size == total


def test_ai_toolkit_output_is_found_in_its_own_folder(tmp_path):
    found = find(toolkit_output(tmp_path), TOOLKIT, "dog")
    assert [a.file.step for a in found.loras] == [4, 8]
    assert [(a.file.step, a.file.prompt) for a in found.samples] == [(4, 1)]


def test_no_output_yet_is_nothing_and_no_error(tmp_path):
    assert find(tmp_path / "none", KOHYA, "dog").loras == ()
    assert saved_states(tmp_path / "none", TOOLKIT, "dog") == []


def test_links_lead_nowhere(tmp_path):
    secret = lora(tmp_path / "elsewhere" / "dog.safetensors")
    output = tmp_path / "output"
    output.mkdir()
    (output / "dog.safetensors").symlink_to(secret)
    (output / "sample").symlink_to(secret.parent)
    (output / "loop").symlink_to(output)
    assert find(output, KOHYA, "dog").loras == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_hides_only_itself(tmp_path):
    output = kohya_output(tmp_path)
    (output / "sample").chmod(0)
    assert len(find(output, KOHYA, "dog").loras) == 3


class Pruning(KohyaSs):
    """Deletes its oldest checkpoint just as it is looked at."""

    def classify(self, relative, name):
        found = super().classify(relative, name)
        if relative.endswith("-000001.safetensors"):
            (self.output / relative).unlink()
        return found


def test_a_checkpoint_that_is_pruned_while_it_is_listed_is_left_out(tmp_path):
    engine = Pruning()
    engine.output = kohya_output(tmp_path)
    found = find(tmp_path, engine, "dog")
    assert [a.path.name for a in found.loras] == ["dog-000002.safetensors", "dog.safetensors"]


def test_the_version_changes_when_something_is_added_or_removed(tmp_path):
    output = kohya_output(tmp_path)
    first = find(output, KOHYA, "dog").version
    assert find(output, KOHYA, "dog").version == first
    lora(output / "dog-000003.safetensors")
    second = find(output, KOHYA, "dog").version
    (output / "dog-000001.safetensors").unlink()
    assert len({first, second, find(output, KOHYA, "dog").version}) == 3


def test_a_whole_state_folder_is_whole(tmp_path):
    kohya_output(tmp_path)
    states = {s.path.name: s.whole for s in saved_states(tmp_path, KOHYA, "dog")}
    assert states["dog-000001-state"]
    assert states["dog-000002-state"]


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "optimizer.bin",
        "scheduler.bin",
        "random_states_0.pkl",
        "train_state.json",
    ],
)
@pytest.mark.parametrize("damage", [tear, os.unlink])
def test_a_state_torn_at_any_of_its_files_is_not_whole(tmp_path, name, damage):
    damage(kohya_state(tmp_path / "dog-000002-state") / name)
    assert [s.whole for s in saved_states(tmp_path, KOHYA, "dog")] == [False]


def test_a_torn_gradient_scaler_counts_too(tmp_path):
    state = kohya_state(tmp_path / "dog-000002-state")
    tear(torch_zip(state / "scaler.pt"))
    assert [s.whole for s in saved_states(tmp_path, KOHYA, "dog")] == [False]


def test_a_checkpoint_tells_its_own_step_and_a_torn_one_is_not_whole(tmp_path):
    toolkit_output(tmp_path)
    tear(tmp_path / "dog" / "dog_000000008.safetensors")
    states = [s for s in saved_states(tmp_path, TOOLKIT, "dog") if s.file.kind == "lora"]
    assert [(s.step, s.whole) for s in states] == [(4, True), (None, False)]
    point = TOOLKIT.resume_point(states, None)
    assert point is not None
    assert point.step == 4


def test_metadata_of_another_program_gives_no_step(tmp_path):
    texts = ("[]", "{", '{"step": "x"}', "7", "[" * 100_000)
    for number, text in enumerate(texts):
        lora(tmp_path / "dog" / f"dog_{number:09}.safetensors", metadata={"training_info": text})
    states = saved_states(tmp_path, TOOLKIT, "dog")
    assert [(s.whole, s.step) for s in states] == [(True, None)] * 5


def test_a_listing_stops_at_its_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("app.artifacts.listing.MOST_ENTRIES", 3)
    kohya_output(tmp_path)
    shutil.rmtree(tmp_path / "sample")
    found = find(tmp_path, KOHYA, "dog")
    assert len(found.loras) + len(found.states) == 3

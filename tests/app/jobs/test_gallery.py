"""Samples stand in a grid by step and prompt, newest step first."""

from __future__ import annotations

from pathlib import Path

from app.artifacts import Artifact
from app.jobs.gallery import arrange, as_json, kind_of
from engines.base import OutputFile


def sample(prompt, step=None, epoch=None, mtime=1.0, name="x.png"):
    path = f"sample/{step or epoch}-{prompt}-{name}"
    return Artifact(OutputFile(path, "sample", step, epoch, prompt), Path(path), 9, mtime)


def test_rows_are_steps_and_columns_prompts_with_gaps_where_nothing_was_drawn():
    grid = arrange([sample(0, 4), sample(1, 8), sample(0, 8)], ["a", "b"], None)
    assert [row.label for row in grid.rows] == ["Step 8", "Step 4"]
    assert [cell and cell.file.prompt for cell in grid.rows[1].cells] == [0, None]
    assert (grid.prompts, grid.count) == (("a", "b"), 3)


def test_epochs_are_steps_once_their_length_is_known_and_the_newer_of_two_pictures_is_shown():
    old, new = sample(0, epoch=2, mtime=1), sample(0, epoch=2, mtime=2, name="y.png")
    assert arrange([new, old], ["a"], 12).rows[0].step == 24
    grid = arrange([new, old], ["a"], None)
    assert grid.rows[0].label == "Epoch 2"
    assert grid.rows[0].cells[0] is new


def test_a_prompt_without_text_keeps_its_column_and_step_zero_counts():
    grid = arrange([sample(2, 0)], ["a"], None)
    assert grid.prompts == ("a", "Prompt 3")
    assert grid.rows[0].label == "Step 0"


def test_the_viewer_is_told_the_steps_from_the_first_to_the_newest():
    grid = arrange([sample(0, 4), sample(0, 8, name="v.mp4")], ["a"], None)
    told = as_json(grid, lambda cell: (cell.file.path, ""))
    assert [row["step"] for row in told["steps"]] == [4, 8]
    assert told["steps"][1]["cells"][0][2] == "video"
    assert kind_of(sample(0, 1, name="s.wav")) == "sound"

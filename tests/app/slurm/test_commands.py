"""Slurm's commands: an answer, nobody there and a refusal are told apart."""

from __future__ import annotations

import pytest

from app.slurm.commands import ControllerDownError, Slurm, SlurmError, SlurmMissingError


@pytest.fixture
def slurm(tmp_path):
    def make(text, name="squeue"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        return Slurm({"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_CONF": "/x.conf",
                      "SBATCH_PARTITION": "evil", "SLURM_JOB_ID": "3"})  # fmt: skip

    return make


def test_an_answer_is_what_was_printed(slurm):
    assert slurm("echo 7").run("squeue") == "7\n"


@pytest.mark.parametrize(
    ("told", "done_nothing"),
    [
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", False),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", False),
        ("sbatch: error: If munged is up, restart with --num-threads=10", True),
    ],
)  # fmt: skip
def test_nobody_answers_and_whether_it_may_have_been_heard(slurm, told, done_nothing):
    with pytest.raises(ControllerDownError) as caught:
        slurm(f"echo '{told}' >&2; exit 1").run("squeue")
    assert caught.value.done_nothing is done_nothing


@pytest.mark.parametrize("end", ["kill -PIPE $$", "exit 3"])
def test_a_command_that_dies_without_a_word_was_refused_by_nobody(slurm, end):
    with pytest.raises(ControllerDownError) as caught:
        slurm(end).run("squeue")
    assert not caught.value.done_nothing


def test_a_refusal_is_a_sentence_without_the_programs_name(slurm):
    with pytest.raises(SlurmError, match=r"^invalid partition specified: nope$"):
        slurm("echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1").run("squeue")


def test_a_command_that_hangs_is_ended_and_its_outcome_is_unknown(slurm):
    with pytest.raises(ControllerDownError) as caught:
        slurm("sleep 60").run("squeue", seconds=0.1)
    assert not caught.value.done_nothing


def test_a_command_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(SlurmMissingError, match="cannot be run here"):
        Slurm({"PATH": "/nonexistent"}).run("squeue-of-nowhere")


def test_variables_that_are_options_do_not_reach_it(slurm):
    found = slurm("env").run("squeue", environment={"SBATCH_ACCOUNT": "x", "A": "b"})
    lines = set(found.splitlines())
    assert {"A=b", "SLURM_CONF=/x.conf"} <= lines
    assert not [line for line in lines if line.startswith(("SBATCH_", "SLURM_JOB"))]


def test_what_makes_answers_readable_is_not_handed_down_to_a_training(slurm):
    ours, training = slurm("env").run("squeue"), slurm("env").run("squeue", environment={"A": "b"})
    for name in ("LC_ALL=C", "SLURM_TIME_FORMAT=%s"):
        assert name in ours
        assert name.partition("=")[0] not in training


def test_one_question_tells_of_all_jobs(slurm):
    text = (
        "printf '%s\\n' '7|RUNNING|None|n1|lora-1.1-ab|1.1.cd' 'noise' '8|PENDING|Priority||x|a|b'"
    )
    assert [(one.id, one.stage, one.comment) for one in slurm(text).jobs()] == [
        (7, "running", "1.1.cd"), (8, "waiting", "a|b"),
    ]  # fmt: skip

"""What a job may ask of Slurm: no value becomes an option, no option breaks the bookkeeping."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError
from app.slurm.options import OptionError, SlurmOptions
from app.slurm.paths import PathMap
from app.slurm.script import Handover


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("partition", "--wrap=rm"), ("partition", "a b"), ("account", "-x"), ("time_limit", "soon"),
        ("time_limit", "1:2:3:4"), ("constraint", "a;b"), ("gpu_type", "a100:9"), ("gpu_type", "a b"),
        ("options", "-p gpu"), ("options", "--job-name=x"), ("options", "--job=x"),
        ("options", "--requeue"), ("options", "--export=NONE"), ("options", "gpu"),
        ("options", "--mem=1G; rm"), ("options", "--comment 'x'"), ("options", "'--mem"),
        ("options", "--wrap=true"), ("options", "--array=1-9"), ("options", "--hold"),
        # With these sbatch answers, takes no job, and says that all is well.
        ("options", "--help"), ("options", "--usage"), ("options", "--version"),
        ("options", "--autocomplete=--mem"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused_at_its_field(field, value):
    with pytest.raises(OptionError) as caught:
        SlurmOptions.checked({field: value})
    assert caught.value.field == field


def test_what_a_job_asks_for_goes_over_the_settings_and_options_add_up():
    general = SlurmOptions.checked({"partition": "gpu", "account": "us", "options": "--mem=8G"})
    own = SlurmOptions.checked({"partition": "long", "options": "--cpus-per-task=4"})
    both = own.over(general)
    assert (both.partition, both.account) == ("long", "us")
    assert both.words() == ["--mem=8G", "--cpus-per-task=4"]


def test_the_command_says_only_what_was_said():
    options = SlurmOptions.checked({"gpu_type": "a100", "time_limit": "2-00:00"})
    words = Handover("n", "c", Path("/s.sh"), "/o%.txt", 2, options, 120).command()
    assert {"--gres=gpu:a100:2", "--time=2-00:00", "--signal=B:USR2@120"} <= set(words)
    assert "--output=/o%%.txt" in words
    assert not [word for word in words if word.startswith(("--partition", "--account"))]
    assert words[-1] == "/s.sh"


def test_paths_are_mapped_at_their_borders_the_longest_first():
    mapped = PathMap.parse("/data=/scratch/me, /data/models=/models")
    text = 'a = "/data/jobs/1", b = "/data/models/x" c=/database d=/other/data e:/data'
    assert mapped.there(text) == (
        'a = "/scratch/me/jobs/1", b = "/models/x" c=/database d=/other/data e:/scratch/me'
    )


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"SLURM_TIME_LIMIT": "x"}, "SLURM_TIME_LIMIT"),
        ({"SLURM_OPTIONS": "--hold"}, "SLURM_OPTIONS"),
        ({"SLURM_PATH_MAP": "a=b"}, "absolute"),
        ({"SLURM_MAX_JOBS": "0"}, "SLURM_MAX_JOBS"),
        ({"SLURM_SAVE_SECONDS": "x"}, "SLURM_SAVE_SECONDS"),
        ({"SLURM_SAVE_SECONDS": "all"}, "SLURM_SAVE_SECONDS"),
    ],
)
def test_nonsense_refuses_to_start(env, words, tmp_path):
    with pytest.raises(SettingsError, match=words):
        Settings.from_env({"DATA_DIR": str(tmp_path), "EXECUTOR": "slurm", **env})


def test_a_number_that_is_left_empty_is_the_default_and_not_none(tmp_path):
    empty = dict.fromkeys(("SLURM_SAVE_SECONDS", "SLURM_LAG_SECONDS", "SLURM_MAX_JOBS"), "")
    found = Settings.from_env({"DATA_DIR": str(tmp_path), "EXECUTOR": "slurm", **empty}).slurm
    assert (found.save_seconds, found.lag_seconds, found.max_jobs) == (120, 90, None)
    off = {"SLURM_SAVE_SECONDS": "0"}
    found = Settings.from_env({"DATA_DIR": str(tmp_path), "EXECUTOR": "slurm", **off}).slurm
    assert found.save_seconds == 0


def test_slurm_is_offered_where_it_is_the_executor_or_set_up(tmp_path):
    base = {"DATA_DIR": str(tmp_path)}
    assert Settings.from_env(base).slurm is None
    assert Settings.from_env({**base, "EXECUTOR": "slurm"}).slurm.max_jobs is None
    offered = Settings.from_env({**base, "SLURM_PARTITION": "gpu", "SLURM_MAX_JOBS": "4"})
    assert (offered.executor, offered.slurm.max_jobs) == ("local", 4)
    assert offered.slurm.general.partition == "gpu"


def test_an_option_that_is_none_of_ours_is_told_with_those_there_are():
    with pytest.raises(OptionError, match=r"walltime is no option; there are .*time_limit"):
        SlurmOptions.checked({"walltime": "1:00"})


@pytest.mark.parametrize("text", ["a100=80", "a100:much", ":80", "a100:-1"])
def test_a_memory_of_cards_that_cannot_be_read_refuses_to_start_with_its_setting(text):
    with pytest.raises(SettingsError, match="SLURM_GPU_MEMORY"):
        Settings.from_env({"EXECUTOR": "slurm", "SLURM_GPU_MEMORY": text})

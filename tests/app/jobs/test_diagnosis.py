"""Why a run died, told from the real engines' last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.jobs.diagnosis import CAUSES, REMEDIES, diagnose, last_error
from engines.fields import table

REPLAY = Path(__file__).parents[2] / "replay" / "diagnosis"
CASES = {
    "kohya_ss-20_missing_model": (1, "missing-model"),
    "kohya_ss-21_missing_dataset_dir_rc0": (0, "no-images"),
    "kohya_ss-23_bad_argument": (1, "bad-option"),
    "kohya_ss-29_bad_dataset_key": (1, "bad-option"),
    "kohya_ss-30_no_such_network": (1, "missing-dependency"),
    "kohya_ss-31_nan_loss_rc0": (0, "nan"),
    "kohya_ss-32_fp16_on_cpu": (1, "half-on-cpu"),
    "kohya_ss-35_empty_caption": (1, "empty-caption"),
    "kohya_ss-36_truncated_image": (1, "bad-image"),
    "kohya_ss-37_output_dir_unwritable": (1, "missing-file"),
    "kohya_ss-38_no_tokenizer": (1, "tokenizer"),
    "kohya_ss-39_tokenizer_no_network": (1, "tokenizer"),
    "ai_toolkit-bad_optimizer": (1, "bad-option"),
    "ai_toolkit-bad_yaml": (1, "bad-option"),
    "ai_toolkit-empty_dataset": (1, "no-images"),
    "ai_toolkit-missing_dataset": (1, "missing-file"),
    "ai_toolkit-missing_hub_model": (1, "missing-model"),
    "ai_toolkit-missing_model": (1, "missing-model"),
    "ai_toolkit-nan": (0, "nan"),
    "ai_toolkit-trunc_resume": (1, "torn-file"),
    "ai_toolkit-envvar": (1, "bad-option"),
    "ai_toolkit-no_process": (1, "bad-option"),
    "ai_toolkit-bad_scheduler": (1, "bad-option"),
    "ai_toolkit-sdxl_cache_te_crash": (1, "text-cache"),
    "ai_toolkit-dbjob": (1, "stopped"),
    "kohya_ss-22_missing_dataset_config": (1, "missing-file"),
    "kohya_ss-24_bad_choice_cli": (1, "bad-option"),
    "kohya_ss-28_missing_config_file": (1, "missing-file"),
}
SIGNALS = {
    "kohya_ss-02_sigint_group": ("SIGINT", "ended"),
    "kohya_ss-03_sigterm_group": ("SIGTERM", "ended"),
    "kohya_ss-06_sigkill_at_23": ("SIGKILL", "memory"),
}


def tail(name):
    return (REPLAY / f"{name}.raw").read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize(("name", "code", "cause"), [(n, c, w) for n, (c, w) in CASES.items()])
def test_a_recorded_death_is_told_by_its_cause_with_something_to_do(name, code, cause):
    found = diagnose(code=code, signal=None, tail=tail(name), engine=name.partition("-")[0])
    assert (found.known, found.cause) == (True, cause)
    assert found.sentence
    assert found.suggestion.endswith(".")


@pytest.mark.parametrize(("name", "signal", "cause"), [(n, *w) for n, w in SIGNALS.items()])
def test_an_end_by_a_signal_that_we_did_not_send_is_no_error_of_the_engine(name, signal, cause):
    found = diagnose(code=None, signal=signal, tail=tail(name), engine="kohya_ss")
    assert (found.known, found.cause) == (True, cause)
    assert "%|" not in found.sentence


@pytest.mark.parametrize("name", [*CASES, *SIGNALS, "kohya_ss-26_wrong_type_toml"])
def test_no_sentence_quotes_a_wrapper_a_bar_or_a_frame(name):
    sentence = diagnose(code=1, signal=None, tail=tail(name), engine="x").sentence
    for word in ("CalledProcessError", "%|", "Error running", 'File "', "KeyboardInterrupt"):
        assert word not in sentence


def test_without_an_exception_the_last_line_that_says_something_is_quoted():
    text = (
        "loading\nthe disk smells of smoke\n\rsteps:  18%|█▊        | 7/40 [00:03<00:15]\n=====\n"
    )
    found = diagnose(code=3, signal=None, tail=text, engine="x")
    assert (found.sentence, found.known) == ("the disk smells of smoke", False)


def test_an_unknown_cause_quotes_the_last_exception_and_not_its_wrapper():
    found = diagnose(
        code=1, signal=None, tail=tail("kohya_ss-26_wrong_type_toml"), engine="kohya_ss"
    )
    assert not found.known
    assert found.sentence.startswith("TypeError: empty()")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "gpu-memory"),
        ("OSError: [Errno 28] No space left on device", "disk-full"),
        ("huggingface_hub.errors.GatedRepoError: 403 Client Error.", "gated"),
        ("RuntimeError: CUDA error: no kernel image is available for execution", "driver"),
        ("huggingface_hub.errors.LocalEntryNotFoundError: offline mode is enabled", "network"),
        ("huggingface_hub.errors.RemoteEntryNotFoundError: 404 Client Error.", "missing-model"),
        ("MemoryError", "memory"),
        (
            (
                "RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible "
                "that dataloader's workers are out of shared memory."
            ),
            "shared-memory",
        ),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.", "memory"),
        (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
            "driver",
        ),
        (
            "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
            "gpu-failed",
        ),
        ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9 in position 3", "bad-caption"),
        ("PermissionError: [Errno 13] Permission denied: '/data/x'", "permission"),
        ("Exception: Job stopped", "stopped"),
        ("requests.exceptions.ConnectionError: Max retries exceeded with url", "network"),
    ],
)
def test_causes_that_no_machine_here_can_have_are_known_by_their_words(text, cause):
    assert diagnose(code=1, signal=None, tail=f"Traceback\n{text}\n", engine="x").cause == cause


def test_a_kill_from_outside_is_told_as_such():
    assert diagnose(code=None, signal="SIGKILL", tail="epoch 1\n", engine="x").cause == "memory"


def test_a_silent_death_says_that_nothing_was_said():
    assert "said nothing" in diagnose(code=1, signal=None, tail="", engine="x").sentence


def test_an_earlier_warning_does_not_hide_the_last_exception():
    text = "OSError: No space left on device\nretried\nTypeError: the real one\n"
    assert last_error(text.split("\n")) == "TypeError: the real one"
    assert diagnose(code=1, signal=None, tail=text, engine="x").cause == ""


def test_every_remedy_belongs_to_a_cause_and_changes_fields_that_exist():
    assert set(REMEDIES) <= {cause.key for cause in CAUSES}
    for _, fields in REMEDIES.values():
        assert set(fields) <= set(table())

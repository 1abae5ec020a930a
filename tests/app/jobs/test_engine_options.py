"""The installed engine is asked what it accepts, by a child, once for each state of its sources."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time

import pytest

from app.jobs import engine_options, planning
from app.jobs.engine_options import OptionLibrary
from app.jobs.installations import Installation
from app.settings import Settings
from engines.base import UnsupportedError, Workspace
from engines.kohya_ss import KohyaSs
from engines.spec import JobSpec
from tests.support.wait import until

SHIPPED = KohyaSs().shipped_options().data["train_network"]


def script(*without, extra=""):
    """A parser with every option of the pinned script but some, as sd-scripts writes it."""
    kinds = {"int": "int", "float": "float"}
    rows = []
    for name, option in SHIPPED.items():
        if name in without:
            continue
        words = [repr(f"--{name}")]
        if option["switch"]:
            words.append("action='store_true'")
        else:
            words.append(f"type={kinds.get(option['type'], 'str')}")
            words += ["nargs='*'"] if option["many"] else []
        rows.append(f"    parser.add_argument({', '.join(words)})")
    return "\n".join(["def setup_parser():", *rows, extra, "    return parser", ""])


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "sd-scripts"
    folder.mkdir()
    (folder / "train_network.py").write_text(script())
    return folder


@pytest.fixture
def patient_library(tmp_path):
    """Reads by a child process, as the program does; each reading takes about a second."""
    (tmp_path / "data").mkdir()
    return OptionLibrary(Settings.from_env({"DATA_DIR": str(tmp_path / "data")}))


@pytest.fixture
def library(patient_library, monkeypatch):
    """Reads in the test's own process."""
    monkeypatch.setattr(engine_options, "_read_in_child", read_here)
    return patient_library


def read_here(installation):
    found = engine_options.read(installation.name, installation.home)
    return engine_options._known(installation, dataclasses.asdict(found), "", time.time())


def installed(home):
    return Installation("kohya_ss", home, sys.executable)


def plan(home, library, tmp_path, **changes):
    document = {
        "name": "dog", "family": "sd15", "base_model": "/m.safetensors", "length": {"steps": 9},
        "datasets": [{"path": "/d"}], **changes,
    }  # fmt: skip
    known = library.wait(installed(home))
    space = Workspace(
        native=tmp_path, output=tmp_path, logs=tmp_path, home=home, python="p", gpus=(0,),
        options=known.options,
    )  # fmt: skip
    return planning.plan(installed(home), JobSpec.model_validate(document), space)


def test_an_option_that_the_installed_engine_lacks_refuses_the_field_that_needs_it(
    home, library, tmp_path
):
    (home / "train_network.py").write_text(script("noise_offset"))
    with pytest.raises(UnsupportedError) as refused:
        plan(home, library, tmp_path, loss={"noise_offset": 0.05})
    (refusal,) = refused.value.refusals
    assert refusal.field == "loss.noise_offset"
    assert "no option 'noise_offset'" in refusal.message
    assert "read from the installed sd-scripts" in refusal.message
    plan(home, library, tmp_path)


def test_an_option_that_only_the_installed_engine_has_is_accepted(home, library, tmp_path):
    extra = "    parser.add_argument('--brand_new', type=int)"
    (home / "train_network.py").write_text(script(extra=extra))
    options = {"kohya_ss": {"config": {"brand_new": 3}}}
    assert (
        "brand_new = 3"
        in plan(home, library, tmp_path, engine_options=options).files["config.toml"]
    )
    wrong = {"kohya_ss": {"config": {"brand_new": "three"}}}
    with pytest.raises(UnsupportedError, match="must be of type int"):
        plan(home, library, tmp_path, engine_options=wrong)


def test_a_list_is_read_once_and_again_when_a_source_changed(
    home, patient_library, tmp_path, monkeypatch
):
    library = patient_library
    first = library.wait(installed(home))
    assert first.read_at
    assert library.wait(installed(home)) is first
    again = OptionLibrary(Settings.from_env({"DATA_DIR": str(tmp_path / "data")}))
    assert again.wait(installed(home)).read_at == first.read_at
    # One child is enough to see that a list comes back from it.
    monkeypatch.setattr(engine_options, "_read_in_child", read_here)
    monkeypatch.setattr(engine_options, "LOOK_AGAIN_SECONDS", 0.0)
    (home / "train_network.py").write_text(script("noise_offset"))
    assert "noise_offset" not in library.wait(installed(home)).options.data["train_network"]


def test_nobody_waits_for_the_first_reading_and_the_shipped_list_stands_in(home, library):
    known = library.now(installed(home))
    assert known.pending
    assert known.options.source.startswith("shipped")
    done = until(lambda: not (k := library.now(installed(home))).pending and k, what="it was read")
    assert done.options.source == "read from the installed sd-scripts"


def test_two_threads_that_ask_at_once_start_one_child(home, library, monkeypatch):
    read, calls = read_here, []

    def counted(installation):
        calls.append(installation)
        return read(installation)

    monkeypatch.setattr(engine_options, "_read_in_child", counted)
    threads = [threading.Thread(target=library.wait, args=(installed(home),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


@pytest.mark.parametrize("text", ["def broken(:", "print('no options here')\n"])
def test_sources_that_cannot_be_read_leave_the_shipped_list_and_say_so(home, patient_library, text):
    library = patient_library
    (home / "train_network.py").write_text(text)
    known = library.wait(installed(home))
    assert known.options.source.startswith("shipped")
    assert "could not be read" in known.problem
    assert not known.pending


def test_without_a_data_folder_nothing_is_written(home, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_options, "_read_in_child", read_here)
    library = OptionLibrary(Settings.from_env({"DATA_DIR": str(tmp_path / "none")}))
    assert library.wait(installed(home)).read_at
    assert not (tmp_path / "none").exists()


def test_an_engine_that_is_not_there_has_the_shipped_list(home, library):
    missing = dataclasses.replace(installed(home), problem="gone")
    assert library.now(missing).options.source.startswith("shipped")


def test_a_fingerprint_changes_with_every_edit(home):
    before = engine_options.fingerprint(installed(home))
    assert engine_options.fingerprint(installed(home)) == before
    os.utime(home / "train_network.py", ns=(1, 1))
    assert engine_options.fingerprint(installed(home)) != before


def test_a_network_module_and_a_script_that_the_checkout_lacks_refuse_the_plan(
    home, library, tmp_path
):
    (home / "networks").mkdir()
    (home / "networks" / "oft.py").write_text("def create_network(): ...\n")
    (home / "networks" / "merge_lora.py").write_text("def main(): ...\n")
    with pytest.raises(UnsupportedError) as refused:
        plan(home, library, tmp_path)
    (refusal,) = refused.value.refusals
    assert (refusal.field, "no network module networks.lora" in refusal.message) == (
        "network.type",
        True,
    )
    with pytest.raises(UnsupportedError, match=r"no sdxl_train_network\.py"):
        plan(home, library, tmp_path, family="sdxl")


def test_a_dataset_key_that_the_checkout_lacks_is_told_at_its_field(home, library, tmp_path):
    (home / "library").mkdir()
    (home / "library" / "config_util.py").write_text(
        'class C:\n    A_SCHEMA = {\n        Required("image_dir"): str,\n        "num_repeats": int,\n'
        '        "resolution": int,\n        "batch_size": int,\n        "caption_extension": str,\n'
        '        "enable_bucket": bool,\n        "bucket_reso_steps": int,\n    }\n'
    )
    with pytest.raises(UnsupportedError) as refused:
        plan(home, library, tmp_path, buckets={"enabled": True})
    assert {r.field for r in refused.value.refusals} == {
        "buckets.min",
        "buckets.max",
        "buckets.upscale",
    }


def test_a_reading_that_takes_too_long_or_cannot_start_leaves_the_shipped_list(
    home, patient_library, monkeypatch
):
    monkeypatch.setattr(engine_options, "READ_SECONDS", 0.0)
    slow = patient_library.wait(installed(home))
    assert "reading took longer than 0 s" in slow.problem
    monkeypatch.setattr(engine_options.sys, "executable", str(home / "no python"))
    gone = engine_options._read_in_child(installed(home))
    assert "could not be read" in gone.problem
    for known in (slow, gone):
        assert known.options.data["train_network"] == SHIPPED


def test_a_list_that_cannot_be_kept_is_used_all_the_same(home, library, caplog):
    library._folder.write_text("a file where the folder of lists should be")
    known = library.wait(installed(home))
    assert known.problem == ""
    assert known.read_at is not None
    assert "cannot be kept" in caplog.text


def test_a_reader_that_meets_torn_sources_says_so_in_a_line_and_ends_with_1(
    home, monkeypatch, capsys
):
    (home / "train_network.py").write_text("def setup_parser(:")
    monkeypatch.setattr(engine_options.sys, "argv", ["engine_options", "kohya_ss", str(home)])
    monkeypatch.setattr(engine_options.os, "nice", lambda _by: None)
    assert engine_options.main() == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_however_often_it_is_asked_while_it_is_read_one_thread_reads(home, library, monkeypatch):
    gate = threading.Event()

    def slow(installation):
        gate.wait(10)
        return read_here(installation)

    monkeypatch.setattr(engine_options, "_read_in_child", slow)
    before = threading.active_count()
    for _ in range(20):
        assert library.now(installed(home)).pending
    more = threading.active_count() - before
    gate.set()
    until(lambda: not library.now(installed(home)).pending, 10, "it is read")
    assert more <= 5  # a few may come before the first has begun

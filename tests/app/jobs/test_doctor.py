"""How the installed engine differs from the pinned one, in lines that a person can use."""

from __future__ import annotations

import shlex
import sys

from app.jobs import doctor, engine_options, installations
from app.settings import Settings
from engines.base import OptionList


def found(tmp_path, home):
    values = {
        "DATA_DIR": str(tmp_path / "data"), "KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": sys.executable,
    }  # fmt: skip
    return installations.find(Settings.from_env(values), "kohya_ss")


def test_a_script_that_is_missing_is_one_difference_and_a_shared_option_is_told_once():
    pinned = {"flux": {"rank", "guidance"}, "sdxl": {"rank", "area"}, "sd15": {"rank", "area"}}
    there = {"sdxl": {"rank", "new"}, "sd15": {"rank"}}
    assert doctor.beyond(pinned, there) == ["all of flux", "area (in 2)"]
    assert doctor.beyond(there, pinned) == ["new"]


def test_the_gui_without_its_trainer_is_told_how_to_fetch_it(tmp_path):
    gui = tmp_path / "kohya ss"
    (gui / "sd-scripts").mkdir(parents=True)
    (gui / "kohya_gui.py").write_text("")
    problem = found(tmp_path, gui).problem
    assert f"git -C {shlex.quote(str(gui))} submodule update --init sd-scripts" in problem
    (gui / "sd-scripts" / "train_network.py").write_text("")
    there = found(tmp_path, gui)
    assert (there.problem, there.home) == ("", gui / "sd-scripts")


def test_a_folder_that_holds_neither_is_told_what_is_looked_for(tmp_path):
    assert "holds no train_network.py" in found(tmp_path, tmp_path).problem


def test_a_family_that_the_installed_engine_cannot_train_is_a_line_with_its_reason(tmp_path):
    home = tmp_path / "sd-scripts"
    home.mkdir()
    (home / "train_network.py").write_text("")
    there = found(tmp_path, home)
    known = engine_options.Known(OptionList("", {"train_network": {}}, (), ()))
    lines = {line.what: line for line in doctor._families(there, known)}
    assert not lines["sd15"].ok
    assert "train_network" in lines["sd15"].text or "kohya_ss" in lines["sd15"].text

"""The options of an installed sd-scripts, read from its source text alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.kohya_ss import options, sources

SMALL = {
    "train_network.py": """
import library.train_util as train_util
def setup_parser():
    parser = argparse.ArgumentParser()
    train_util.add_training_arguments(parser, True)
    parser.add_argument("--network_dim", type=int, default=None, help="x")
    return parser
""",
    "new_train_network.py": """
def setup_parser():
    parser = train_network.setup_parser()
    parser.add_argument("--brand-new", action="store_true")
    return parser
""",
    "library/train_util.py": """
def add_training_arguments(parser, support):
    parser.add_argument("--lr_warmup_steps", type=int_or_float, default=0)
    if support:
        parser.add_argument("--save_precision", type=str, default=None, choices=[None, "float", "fp16"])
    parser.add_argument("--text_encoder_lr", type=float, default=None, nargs="*")
""",
}


def test_calls_are_followed_through_modules_and_switches_lists_and_choices_are_known():
    data = sources.read_options(SMALL).data
    assert set(data["train_network"]) == {
        "network_dim", "lr_warmup_steps", "save_precision", "text_encoder_lr",
    }  # fmt: skip
    assert data["train_network"]["lr_warmup_steps"]["type"] == "int_or_float"
    assert data["train_network"]["save_precision"]["choices"] == [None, "float", "fp16"]
    assert data["train_network"]["text_encoder_lr"]["many"]


def test_a_script_has_its_own_options_beside_those_it_builds_on():
    data = sources.read_options(SMALL).data
    assert set(data["new_train_network"]) == {*data["train_network"], "brand_new"}
    assert data["new_train_network"]["brand_new"]["switch"]


@pytest.mark.parametrize(
    "texts", [{}, {"train_network.py": "def setup_parser(:"}, {"train_network.py": "x = 1"}]
)
def test_sources_that_tell_nothing_are_an_error(texts):
    with pytest.raises(ValueError, match="sd-scripts"):
        sources.read_options(texts)


@pytest.mark.engine
def test_the_shipped_lists_are_exactly_those_of_the_pinned_source():
    home = Path(os.environ.get("KOHYA_SS_DIR", ""))
    if not (home / "train_network.py").is_file():
        pytest.skip("not set: KOHYA_SS_DIR")
    texts = {
        str(p.relative_to(home)): p.read_text("utf-8")
        for g in sources.PATTERNS
        for p in home.glob(g)
    }
    read, shipped = sources.read_options(texts).data, options.shipped().data
    for script, known in shipped.items():
        assert set(read[script]) == set(known), script
        for name, option in known.items():
            for key in ("switch", "many", "type"):
                assert read[script][name][key] == option[key], (script, name, key)


def test_a_default_that_only_a_running_program_knows_is_none_and_the_option_is_there():
    text = SMALL["train_network.py"].replace("default=None", "default=os.getcwd()")
    found = sources.read_options({**SMALL, "train_network.py": text})
    assert found.data["train_network"]["network_dim"]["default"] is None

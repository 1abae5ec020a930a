"""Configs of the kohya_ss GUI and of sd-scripts lose nothing on their way in and out again."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from engines.importing import NotAConfigError
from engines.kohya_ss.importing import import_config
from engines.kohya_ss.reading.gui import is_unset
from tests.support.roundtrip import Trip, is_found, leaves, travel

IMPORTS = Path(__file__).parents[2] / "replay" / "kohya_ss" / "imports"
OURS = sorted(path for path in IMPORTS.iterdir() if path.name != "pictures.toml")
COMPANIONS = {"pictures.toml": (IMPORTS / "pictures.toml").read_text("utf-8")}


def upstream() -> list[Path]:
    folder = os.environ.get("KOHYA_SS_PRESETS")
    return sorted(Path(folder).glob("**/*.json")) if folder else []


def source_of(path: Path) -> dict:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return {key: value for key, value in json.loads(text).items() if not is_unset(value)}
    flat: dict = {}
    for key, value in tomllib.loads(text).items():
        flat.update(value if isinstance(value, dict) else {key: value})
    return flat


def lost(path: Path, trip: Trip) -> list[str]:
    """Keys whose value is neither in the document or the native files, nor on a line."""
    values = [*trip.values(), *leaves(trip.document)]
    source = source_of(path)
    return [key for key in source if key not in trip.told and not is_found(source[key], values)]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_every_value_of_a_config_comes_out_again_or_is_told_once(path):
    trip = travel(path, companions=COMPANIONS)
    assert trip.complaints == ()
    assert lost(path, trip) == []
    assert len(set(trip.told)) == len(trip.told)
    assert all(line.startswith(("dropped ", "translated ")) for line in trip.lines)


@pytest.mark.skipif(not upstream(), reason="KOHYA_SS_PRESETS names no folder of the GUI's presets")
def test_every_lora_preset_of_the_gui_makes_the_round_trip():
    refused = []
    for path in upstream():
        try:
            trip = travel(path)
        except Exception as error:
            refused.append((path.name, str(error)))
            continue
        assert (path.name, trip.complaints, lost(path, trip)) == (path.name, (), [])
    assert [(name, why) for name, why in refused if "no LoRA" not in why] == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_what_was_rendered_reads_back_as_the_same_training(path):
    first = travel(path, companions=COMPANIONS)
    again = travel(
        Path("/run/native/config.toml"), first.files["config.toml"],
        {name: text for name, text in first.files.items() if name != "config.toml"},
    )  # fmt: skip
    mine = {**again.document, "family": first.document["family"]}
    assert travel_again(mine, first.document["name"]) == travel_again(
        first.document, first.document["name"]
    )


def travel_again(document, name):
    """The native files of a document, less what only the name and the intervals decide."""
    from engines import presets
    from engines.spec import JobSpec
    from tests.support.roundtrip import ENGINES, SPACE

    spec = JobSpec.model_validate(presets.complete({**document, "name": name}, gpu=True))
    files = ENGINES["kohya_ss"].plan(spec, SPACE).files
    return (
        tomllib.loads(files["config.toml"]),
        tomllib.loads(files["dataset.toml"]),
        files.get("prompts.txt"),
    )


def document_of(**changes):
    text = json.dumps(
        {"LoRA_type": "Standard", "network_dim": 8, "max_train_steps": 100, **changes}
    )
    found = import_config(text, "mine.json")
    return found.document, "\n".join(found.lines)


def test_settings_of_the_datasets_survive_where_the_source_names_no_folder():
    document, _ = document_of(max_resolution="768,768", caption_extension=".txt", flip_aug=True)
    assert document["datasets"] == [
        {"path": "", "resolution": [768], "caption_extension": ".txt", "flip": True}
    ]


def test_a_folder_of_regularisation_pictures_becomes_a_dataset_of_its_own():
    document, lines = document_of(train_data_dir="/img", reg_data_dir="/reg")
    assert [d["path"] for d in document["datasets"]] == ["/img", "/reg"]
    assert document["datasets"][1]["regularisation"]
    assert "train_data_dir" not in lines


def test_a_secret_is_neither_kept_nor_shown():
    document, lines = document_of(huggingface_token="hf_abc", wandb_api_key="k")
    assert "hf_abc" not in str(document) + lines
    assert "dropped huggingface_token: secrets are never stored" in lines


def test_a_warm_up_in_percent_becomes_steps_where_the_steps_are_known():
    assert document_of(lr_warmup=10)[0]["optimizer"]["warmup_steps"] == 10
    document, lines = document_of(lr_warmup=10, max_train_steps=0, epoch=3)
    assert document["engine_options"]["kohya_ss"]["config"]["lr_warmup_steps"] == 0.1
    assert "translated lr_warmup -> engine_options.kohya_ss.config.lr_warmup_steps" in lines


def test_a_bucket_step_that_stops_the_engine_is_mended_and_told():
    document, lines = document_of(bucket_reso_steps=1, sdxl=True)
    assert document["buckets"]["step"] == 32
    assert "1 stops sd-scripts, it must divide by 32" in lines


def test_what_the_engine_ignores_for_the_family_is_told():
    _, lines = document_of(flux1_checkbox=True, LoRA_type="Flux1", min_snr_gamma=5)
    assert "dropped min_snr_gamma: sd-scripts ignores it for flux" in lines


def test_each_dataset_config_folder_is_one_dataset_whatever_its_resolutions():
    found = import_config((IMPORTS / "training.toml").read_text(), "training.toml", COMPANIONS)
    dog, regularisation = found.document["datasets"]
    assert (dog["path"], dog["repeats"], dog["resolution"]) == ("/img/10_dog", 10, [512, 887])
    assert regularisation["regularisation"]
    assert found.document["trigger_word"] == "ohwx dog"
    blocks = found.document["engine_options"]["kohya_ss"]["dataset"]["datasets"]
    assert blocks[1] == {"batch_size": 2, "resolution": [768, 1024]}
    assert blocks[0]["subsets"] == [{}, {"class_tokens": "dog"}]


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("{", "a.json", "no valid JSON"),
        ("a = ", "a.toml", "no valid TOML"),
        ('{"token_string": "x", "network_dim": 1}', "a.json", "no LoRA configuration"),
        ('{"epoch": 3}', "a.json", "no LoRA configuration"),
        ("[[datasets]]\nresolution = 512\n", "a.toml", "import it together"),
        ("learning_rate = 1\n", "a.toml", "trains no LoRA"),
        ('network_dim = "four"\nmax_train_steps = "ten"\n', "a.toml", "'ten' is no number"),
        (
            '{"LoRA_type": "Standard", "additional_parameters": "--a \\"b"}',
            "a.json",
            "command line",
        ),
    ],
)
def test_what_is_no_lora_training_is_refused_with_the_reason(text, name, why):
    with pytest.raises(NotAConfigError, match=why):
        import_config(text, name)


GUI = '{"LoRA_type": "LyCORIS/LoHa", "network_dim": 8, "max_resolution": "512,512", %s}'
TRAINING = 'network_module = "networks.lora"\ndataset_config = "d.toml"\n%s\n'


@pytest.mark.parametrize(
    "value",
    ['"seed": "inf"', '"seed": 1e999', f'"seed": {"9" * 400}', '"network_dim": "inf"', '"epoch": "1e999"',
     '"conv_dim": "inf"', '"max_resolution": "512,512,512"', '"max_resolution": "-512,-512"',
     '"optimizer_args": 5', '"optimizer_args": {"a": 1}'],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_told_whatever_it_is(value):
    with pytest.raises(NotAConfigError, match=r"A value makes no sense: .* is no "):
        import_config(GUI % value, "a.json")


@pytest.mark.parametrize(
    "key", ["max_data_loader_n_workers", "lr_scheduler_num_cycles", "max_token_length"]
)
def test_an_option_without_a_field_that_is_endless_is_dropped(key):
    found = import_config(GUI % f'"{key}": "inf"', "a.json")
    assert any(line.startswith(f"dropped {key}: it must be ") for line in found.lines)


@pytest.mark.parametrize(
    "text",
    ["datasets = 5", "datasets = [5]", "general = 5\ndatasets = []", "[[datasets]]\nsubsets = 5",
     "[[datasets]]\nsubsets = [5]", "[[datasets]]\nresolution = []", "[[datasets]]\nresolution = inf"],
)  # fmt: skip
def test_a_dataset_config_of_another_shape_is_told(text):
    with pytest.raises(NotAConfigError, match="A value makes no sense"):
        import_config(TRAINING % "", "a.toml", {"d.toml": text})


def test_a_config_that_is_silent_on_timesteps_keeps_the_engines_own():
    flux = '{"LoRA_type": "Flux1", "flux1_checkbox": true, "network_dim": 8, "blocks_to_swap": %s}'
    found = import_config(flux % 99, "a.json")
    assert found.document["loss"]["timestep_sampling"] == "sigma"
    assert found.document["memory"]["offload"] == 1.0
    assert "translated blocks_to_swap -> memory.offload" in found.lines


PROMPTS = {
    "p.txt": "a dog --w 640 --h 512 --n 2 --l 7.5x --ss ddim\n# a comment\na cat --w 640 --h 512 --foo 1\n",
    "p.json": '[{"prompt": "a dog", "width": 640, "height": 512, "negative_prompt": "2", "scale": 7.5,'
              ' "sample_sampler": "ddim"}, {"prompt": "a cat", "width": 640, "height": 512, "foo": 1}]',
    "p.toml": """
[prompt]
width = 640
height = 512
[[prompt.subset]]
prompt = "a dog"
negative_prompt = "2"
scale = 7.5
sample_sampler = "ddim"
[[prompt.subset]]
prompt = "a cat"
foo = 1
""",
}  # fmt: skip


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_read_from_each_kind_of_file_as_the_engine_reads_them(name):
    found = import_config(TRAINING % f'sample_prompts = "/x/{name}"', "a.toml", PROMPTS)
    sampling = found.document["sampling"]
    assert (sampling["width"], sampling["height"]) == (640, 512)
    assert sampling["prompts"] == ["a dog", "a cat"]
    prompts = found.document["engine_options"]["kohya_ss"]["prompts"]
    assert prompts == [{"n": "2", "l": 7.5, "ss": "ddim"}, {}]
    assert any(
        re.search(r"sampling.prompts: sd-scripts does not read (--)?foo$", s) for s in found.lines
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.json", "[5]"), ("p.json", '{"a": 1}'), ("p.toml", "prompt = 5"), ("p.toml", "[prompt]\nsubset = [5]"),
     ("p.json", "["), ("p.toml", "prompt")],
)  # fmt: skip
def test_a_file_of_prompts_of_another_shape_is_told(name, text):
    with pytest.raises(NotAConfigError, match="A value makes no sense"):
        import_config(TRAINING % f'sample_prompts = "{name}"', "a.toml", {name: text})


def test_the_document_is_plain_yaml():
    found = import_config((IMPORTS / "gui lokr.json").read_text(), "x.json")
    assert yaml.safe_load(yaml.safe_dump(found.document)) == found.document

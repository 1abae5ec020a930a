"""Which line of a native file came from which field."""

from __future__ import annotations

from app.web.native_view import lines
from app.web.places import place_of

YAML = """job: extension
config:
  name: dog
  process:
  - type: diffusion_trainer
    network:
      linear: 16
    train:
      optimizer_params:
        weight_decay: 0.01
        betas:
        - 0.9
        - 0.99
      max_denoising_steps: 900
    datasets:
    - folder_path: /a
      resolution:
      - 512
      - 768
    - folder_path: /b
"""


def test_yaml_lines_know_their_field_through_lists_and_inner_values():
    found = lines(
        "config.yaml",
        YAML,
        {
            "config.yaml:config.name": "name",
            "config.yaml:network.linear": "network.rank",
            "config.yaml:train.optimizer_params": "optimizer.arguments",
            "config.yaml:train.optimizer_params.weight_decay": "optimizer.weight_decay",
            "config.yaml:train.max_denoising_steps": "engine_options.ai-toolkit.train.x",
            "config.yaml:datasets[0].folder_path": "datasets.0.path",
            "config.yaml:datasets[0].resolution": "datasets.0.resolution",
            "config.yaml:datasets[1].folder_path": "datasets.1.path",
        },
    )
    of = {line.text.strip(" -"): line for line in found}
    assert of["name: dog"].field == "name"
    assert of["linear: 16"].field == "network.rank"
    assert of["weight_decay: 0.01"].field == "optimizer.weight_decay"
    assert of["0.99"].field == "optimizer.arguments"
    assert (of["768"].field, of["768"].first) == ("datasets.0.resolution", False)
    assert of["folder_path: /a"].field == "datasets.0.path"
    assert of["folder_path: /b"].field == "datasets.1.path"
    assert of["max_denoising_steps: 900"].kind == "options"
    assert (of["type: diffusion_trainer"].field, of["network:"].kind) == ("", "own")
    assert "\n".join(line.text for line in found) + "\n" == YAML


TOML = """network_dim = 7
network_args = [ "conv_dim=4",]
output_dir = "/out"

[[datasets]]
resolution = 512
[[datasets.subsets]]
image_dir = "/a"
[[datasets.subsets]]
image_dir = "/b"

[[datasets]]
resolution = 768
[[datasets.subsets]]
image_dir = "/c"

[general]
caption_extension = ".txt"
"""


def test_toml_lines_know_the_block_and_the_subset_they_stand_in():
    found = lines(
        "dataset.toml",
        TOML,
        {
            "dataset.toml:network_dim": "network.rank",
            "dataset.toml:datasets[0].resolution": "datasets.0.resolution",
            "dataset.toml:datasets[0].subsets[1].image_dir": "datasets.1.path",
            "dataset.toml:datasets[1].subsets[0].image_dir": "datasets.2.path",
            "dataset.toml:general.caption_extension": "datasets.0.caption_extension",
            "config.toml:output_dir": "name",
        },
    )
    of = {line.text: line.field for line in found}
    assert of["network_dim = 7"] == "network.rank"
    assert of["resolution = 512"] == "datasets.0.resolution"
    assert (of['image_dir = "/a"'], of['image_dir = "/b"']) == ("", "datasets.1.path")
    assert of['image_dir = "/c"'] == "datasets.2.path"
    assert of['caption_extension = ".txt"'] == "datasets.0.caption_extension"
    assert of['output_dir = "/out"'] == ""


def test_a_prompt_line_belongs_to_the_prompts_unless_the_plan_says_otherwise():
    found = lines("prompts.txt", "a dog --w 64\na cat\n", {"prompts.txt:[1]": "trigger_word"})
    assert [line.field for line in found] == ["sampling.prompts", "trigger_word"]


def test_a_file_that_is_no_yaml_is_shown_without_fields():
    found = lines("config.yaml", "a: [\nb", {"config.yaml:a": "name"})
    assert [line.text for line in found] == ["a: [", "b"]
    assert {line.kind for line in found} == {"own"}


def test_every_way_to_name_a_field_leads_to_its_input():
    for name, anchor in {
        "network.rank": "network.rank",
        "datasets.2.path": "datasets.2.path",
        "datasets[].path": "datasets.0.path",
        "datasets.path": "datasets.0.path",
        "engine_options.kohya_ss.config.network_dim": "engine_options",
        "components.vae": "components.vae",
        "length": "length.steps",
        "datasets": "datasets.0.path",
    }.items():
        assert place_of(name).anchor == anchor
    own = place_of("engine_options.ai-toolkit.datasets.1.control_path", "qwen_image_edit")
    assert (own.anchor, own.title) == (
        "engine_options.ai-toolkit.datasets.1.control_path", "Control pictures",
    )  # fmt: skip
    drawn = place_of("engine_options.ai-toolkit.sample.samples.1.ctrl_img", "qwen_image_edit")
    assert drawn.anchor == "engine_options.ai-toolkit.sample.samples[].ctrl_img"

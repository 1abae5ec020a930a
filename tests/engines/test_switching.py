"""A spec given to the other engine: nothing changes unsaid, nothing refused remains."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engines import families
from engines.ai_toolkit import AiToolkit
from engines.ai_toolkit.overrides import CANONICAL
from engines.base import UnsupportedError
from engines.kohya_ss import KohyaSs
from engines.kohya_ss import optimizer as kohya_optimizer
from engines.kohya_ss.native import FIELD_OF
from engines.spec import JobSpec
from engines.switching import options, switch

ENGINES = {"ai-toolkit": AiToolkit(), "kohya_ss": KohyaSs()}
BOTH = sorted(key for key, family in families.families().items() if len(family.engines) == 2)
OPTIMIZERS = sorted(
    {*kohya_optimizer.NAMES, "prodigy8bit", "automagic", "adagrad", "ademamix8bit", "adam8bit",
     "bitsandbytes.optim.AdEMAMix8bit", "pytorch_optimizer.CAME"}
)  # fmt: skip
SCHEDULES = sorted({*kohya_optimizer.SCHEDULERS, "adafactor:1e-4"})
SAME = (
    ("max_grad_norm", 0.5, "max_grad_norm", 0.5),
    ("prior_loss_weight", 0.8, "reg_weight", 0.8),
    ("loss_type", "l1", "loss_type", "mae"),
)
"""Options of kohya_ss and what they are to ai-toolkit, each with a value. One that becomes a field goes
from here and from the table of engines/switching/options.py."""
AI_TRAIN = {key: value for _, _, key, value in SAME}
KOHYA_OPTIONS = {
    "config": {
        **{key: value for key, value, _, _ in SAME}, "zero_terminal_snr": True,
        "lr_scheduler_num_cycles": 3, "network_args": ["factor=8", "decompose_both=True"],
    },
    "dataset": {"general": {"color_aug": True}},
    "prompts": [{"n": "blurry", "w": 512}],
}  # fmt: skip
AI_OPTIONS = {
    "train": {**AI_TRAIN, "content_or_style": "style"},
    "network": {"lokr_factor": 8},
    "sample": {"neg": "blurry", "samples": [{"neg": "text", "width": 512, "guidance_scale": 3}]},
    "datasets": [{"random_scale": True}],
}  # fmt: skip


def document(**given):
    usual = {
        "name": "dog", "family": "sd15", "base_model": "/models/sd15.safetensors",
        "datasets": [{"path": "/data/dog"}], "length": {"steps": 200},
    }  # fmt: skip
    return {**usual, **given}


@some.composite
def data(draw):
    """The parts of a spec about pictures, samples and native options."""
    pick = lambda *values: draw(some.sampled_from(values))  # noqa: E731
    return {
        "datasets": [
            {
                "path": f"/data/{place}", "shuffle_tags": pick(True, False), "keep_tags": pick(0, 2),
                "caption_dropout": pick(0.0, 0.3), "flip": pick(True, False),
                "resolution": pick([512], [512, 1024]), "regularisation": place == 1,
            }
            for place in range(pick(1, 2))
        ],
        "buckets": pick({}, {"min": 320, "max": 960, "upscale": True}, {"step": 8}, {"enabled": False}),
        "sampling": {"prompts": pick([], ["a dog"])},
        "components": pick({}, {"vae": "/v"}, {"ae": "/a", "t5xxl": "/t"}, {"gemma2": "/g"}),
        "engine_options": pick({}, {"kohya_ss": KOHYA_OPTIONS}, {"ai-toolkit": AI_OPTIONS},
                               {"kohya_ss": KOHYA_OPTIONS, "ai-toolkit": AI_OPTIONS}),
    }  # fmt: skip


@some.composite
def training(draw):
    """The parts of a spec about the training itself."""
    pick = lambda *values: draw(some.sampled_from(values))  # noqa: E731
    return {
        "network": {
            "type": pick("lora", "locon", "loha", "lokr", "dora"), "rank": pick(4, 100_000),
            "conv_rank": pick(None, 8), "conv_alpha": pick(None, 4.0), "dropout": pick(0.0, 0.3),
        },
        "optimizer": {
            "name": pick(*OPTIMIZERS), "learning_rate": pick(1e-4, 5e-4, 1.0),
            "text_encoder_learning_rate": pick(None, 0.0, 5e-5, 1e-4),
            "arguments": pick({}, {"betas": "0.9,0.95", "weight_decay": "0.1"}, {"eps": 1e-6, "lr": 1}),
            "scheduler": pick(*SCHEDULES), "warmup_steps": pick(0, 20),
        },
        "memory": {
            "mixed_precision": pick("no", "fp16", "bf16"), "offload": pick(0.0, 0.3),
            "quantize": pick("none", "qfloat8", "float8", "uint4", "nvfp4"),
            "cache_text": pick("none", "memory", "disk"), "attention": pick("sdpa", "xformers", "flash"),
        },
        "loss": {
            "min_snr_gamma": pick(None, 5.0), "noise_offset": pick(0.0, 0.3), "guidance": pick(None, 1.0),
            "timestep_sampling": pick(None, "sigma", "uniform", "linear", "weighted", "lumina2_shift",
                                      "nextdit_shift", "flux_shift"),
        },
        "ema": {"enabled": pick(True, False)},
    }  # fmt: skip


@some.composite
def documents(draw):
    """Any spec of a family that both engines train, with fields one engine or neither can do."""
    pick = lambda *values: draw(some.sampled_from(values))  # noqa: E731
    return document(
        name=pick("dog", "log", "samples"),
        family=pick(*BOTH),
        engine=pick("auto", "ai-toolkit", "kohya_ss"),
        base_model=pick(None, "/m/one.safetensors", "owner/name"),
        trigger_word=pick("", "zxq"),
        length=pick({"steps": 200}, {"epochs": 3}),
        gpus=pick(1, 2),
        **draw(data()),
        **draw(training()),
    )


def dump(given):
    return JobSpec.model_validate(given).model_dump(mode="json", by_alias=True)


def put(found, field, value):
    """Set a dotted field; None takes it away. A list grows where it is too short."""
    *parents, last = field.split(".")
    for part, following in zip(parents, [*parents[1:], last], strict=False):
        key = int(part) if isinstance(found, list) else part
        if isinstance(found, list):
            found.extend({} for _ in range(key + 1 - len(found)))
        elif key not in found:
            found[key] = [] if following.isdigit() else {}
        found = found[key]
    if value is None:
        found.pop(last, None)
    else:
        found[last] = value


def plain(value):
    """Without what says nothing: None, empty groups, empty lists of groups."""
    if isinstance(value, dict):
        found = {key: plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in found.items() if inner not in (None, {}, [])}
    if isinstance(value, list):
        found = [plain(inner) for inner in value]
        while found and found[-1] == {}:
            found.pop()
        return found
    return value


@settings(max_examples=40, deadline=None)
@given(documents(), some.sampled_from(["ai-toolkit", "kohya_ss"]))
def test_what_the_list_says_is_what_changed_and_nothing_is_refused(asked, target):
    before = copy.deepcopy(asked)
    switched = switch(asked, target)
    assert asked == before
    spec = JobSpec.model_validate(switched.document)
    assert spec.engine == target
    assert ENGINES[target].refusals(spec) == ()
    for refusal in switched.open:
        assert refusal.field == "base_model" or refusal.field.startswith("components.")
    patched = dump(asked)
    for change in switched.changes:
        assert change.before != change.after
        assert change.reason
        put(patched, change.field, change.after)
    assert plain(patched) == plain(dump(switched.document))
    assert switch(switched.document, target).changes == ()


@settings(max_examples=40, deadline=None)
@given(documents(), some.sampled_from(["ai-toolkit", "kohya_ss"]))
def test_there_and_back_loses_only_what_the_lists_said(asked, target):
    there = switch(asked, target)
    back = switch(there.document, "kohya_ss" if target == "ai-toolkit" else "ai-toolkit")
    told = {change.field for change in (*there.changes, *back.changes)}
    first, last = dump(asked), dump(back.document)
    for field in told:
        put(first, field, None)
        put(last, field, None)
    assert plain(first) == plain(last)


@pytest.mark.parametrize(
    ("given", "target", "field", "after", "reason"),
    [
        ({"optimizer": {"scheduler": "cosine_with_restarts"}}, "ai-toolkit",
         "optimizer.scheduler", "cosine", "cosine_with_restarts is cosine"),
        ({"optimizer": {"scheduler": "cosine", "warmup_steps": 50}}, "ai-toolkit",
         "optimizer.warmup_steps", 0, "no warm-up with cosine"),
        ({"optimizer": {"name": "lion"}}, "ai-toolkit", "optimizer.name", "lion8bit", "nearest"),
        ({"optimizer": {"name": "adamw8"}}, "kohya_ss", "optimizer.name", "adamw8bit", "nearest"),
        ({"optimizer": {"arguments": {"betas": "0.9,0.95"}}}, "ai-toolkit",
         "optimizer.arguments.betas", [0.9, 0.95], "reads it from text"),
        ({"optimizer": {"arguments": {"betas": "0.9,0.95", "weight_decay": "0.1"}}}, "ai-toolkit",
         "optimizer.arguments.weight_decay", None, "is optimizer.weight_decay now"),
        ({"optimizer": {"text_encoder_learning_rate": 5e-5}}, "ai-toolkit",
         "optimizer.text_encoder_learning_rate", 1e-4, "at the learning rate itself"),
        ({"network": {"type": "loha"}}, "ai-toolkit", "network.type", "lora", "has no loha"),
        ({"network": {"conv_rank": 8}}, "kohya_ss", "network.type", "locon", "calls LoCon"),
        ({"family": "flux", "network": {"type": "locon", "conv_rank": 8}}, "kohya_ss",
         "network.type", "lora", "no convolution layers"),
        ({"family": "sdxl", "memory": {"quantize": "uint4"}}, "kohya_ss",
         "memory.quantize", "qfloat8", "8-bit floats only"),
        ({"family": "anima", "memory": {"quantize": "uint4"}}, "kohya_ss",
         "memory.quantize", "none", "cannot quantise anima"),
        ({"family": "lumina2", "loss": {"timestep_sampling": "lumina2_shift"}}, "kohya_ss",
         "loss.timestep_sampling", "nextdit_shift", "calls lumina2_shift so"),
        ({"buckets": {"step": 32}}, "ai-toolkit", "buckets.step", 64, "no such setting"),
        ({"ema": {"enabled": True}}, "kohya_ss", "ema.enabled", False, "no EMA"),
        ({"name": "log"}, "ai-toolkit", "name", "log-lora", "its own file"),
    ],
)  # fmt: skip
def test_a_field_is_translated_with_its_reason(given, target, field, after, reason):
    switched = switch(document(**given), target)
    found = {change.field: change for change in switched.changes}
    assert found[field].after == after
    assert reason in found[field].reason


def test_native_options_that_mean_the_same_go_along_and_the_others_are_named():
    given = document(
        network={"type": "lokr"}, sampling={"prompts": ["a dog"]},
        engine_options={"kohya_ss": KOHYA_OPTIONS},
    )  # fmt: skip
    switched = switch(given, "ai-toolkit")
    assert switched.document["engine_options"] == {
        "ai-toolkit": {
            "train": AI_TRAIN,
            "network": {"lokr_factor": 8},
            "sample": {"samples": [{"neg": "blurry", "width": 512}]},
        }
    }
    reasons = {change.field: change.reason for change in switched.changes}
    left = "engine_options.kohya_ss.config.zero_terminal_snr"
    assert reasons[left].startswith("an option of kohya_ss, left behind")
    assert "lokr_factor now" in reasons["engine_options.kohya_ss.config.network_args"]
    back = switch(switched.document, "kohya_ss").document["engine_options"]["kohya_ss"]
    assert back["config"]["network_args"] == ["factor=8"]
    assert back["prompts"] == KOHYA_OPTIONS["prompts"]


def test_an_option_that_has_a_field_is_not_carried_as_an_option():
    own = {(key, FIELD_OF.get(key)) for key, _, _ in options._CONFIG}
    theirs = {(key, CANONICAL.get(f"train.{key}")) for _, key, _ in options._CONFIG}
    assert {key: field for key, field in own | theirs if field} == {}


def test_what_only_a_person_can_give_is_named_and_left_alone():
    given = document(
        family="flux", base_model="black-forest-labs/FLUX.1-dev", datasets=[{"path": "/data/[a]"}]
    )
    to_kohya = {refusal.field for refusal in switch(given, "kohya_ss").open}
    assert to_kohya == {
        "base_model", "components.clip_l", "components.t5xxl", "components.ae"
    }  # fmt: skip
    there = switch(given, "ai-toolkit")
    assert [refusal.field for refusal in there.open] == ["datasets.0.path"]
    assert there.document["datasets"] == [{"path": "/data/[a]"}]


def test_what_runs_otherwise_with_the_same_value_is_said():
    given = document(network={"type": "lokr"}, trigger_word="zxq", length={"epochs": 3})
    said = " ".join(switch(given, "ai-toolkit").notes)
    for part in ("no epochs", "LoKr's factor", "captions that lack it"):
        assert part in said
    assert "whole epochs" in " ".join(switch(document(), "kohya_ss").notes)


def test_a_family_the_other_engine_does_not_train_is_refused():
    with pytest.raises(UnsupportedError, match="kohya_ss does not train zimage"):
        switch(document(family="zimage:turbo"), "kohya_ss")


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("ai-toolkit", {"kohya_ss": {"config": {"max_grad_norm": 1.0}}, "ai-toolkit": {"train": "x"}}),
        ("ai-toolkit", {"kohya_ss": {"prompts": [{"n": "x"}]}, "ai-toolkit": {"sample": [1]}}),
        ("kohya_ss", {"ai-toolkit": {"train": {"loss_type": ["mse"]}}}),
    ],
)  # fmt: skip
def test_options_of_another_shape_are_taken_out_with_a_line_each(target, options):
    document = {
        "name": "dog", "family": "sd15", "base_model": "/m", "datasets": [{"path": "/d"}],
        "length": {"steps": 9}, "sampling": {"prompts": ["a dog"]}, "engine_options": options,
    }  # fmt: skip
    found = switch(document, target)
    assert not any(found.document["engine_options"].values())
    told = [change for change in found.changes if change.field.startswith("engine_options.")]
    assert [bool(change.reason) for change in told] == [True] * sum(map(len, options.values()))

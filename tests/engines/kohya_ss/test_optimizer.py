"""Optimizers and schedules: what sd-scripts would find out once the model is loaded."""

from __future__ import annotations

import pytest

from tests.engines.kohya_ss.test_plan import config, refused, spec


def optimizer_args(**optimizer):
    return config(spec(optimizer=optimizer)).get("optimizer_args")


def test_adafactor_follows_our_rate_and_schedule_whatever_else_is_among_its_arguments():
    off = ["scale_parameter=False", "relative_step=False", "warmup_init=False"]
    decay = "weight_decay=0.01"
    assert optimizer_args(name="adafactor") == [decay, *off]
    assert optimizer_args(name="AdaFactor", arguments={"clip_threshold": 2.0}) == [
        decay, *off, "clip_threshold=2.0",
    ]  # fmt: skip
    assert optimizer_args(name="adafactor", arguments={"scale_parameter": True}) == [
        decay, *off[1:], "scale_parameter=True",
    ]  # fmt: skip
    # Asked for, its own schedule stays.
    for own in ({"relative_step": True}, {"relative_step": "True"}, {"warmup_init": True}):
        ((name, value),) = own.items()
        assert optimizer_args(name="adafactor", arguments=own) == [decay, f"{name}={value}"]


@pytest.mark.parametrize(
    ("optimizer", "options", "field"),
    [
        # sd-scripts reads each argument as a Python literal, after the model is loaded.
        ({"arguments": {"decouple": "true"}}, {}, "optimizer.arguments"),
        ({"arguments": {"a": "b=1"}}, {}, "optimizer.arguments"),
        ({"arguments": {"a=1": 2}}, {}, "optimizer.arguments"),
        ({"scheduler": "cosine_with_min_lr"}, {}, "optimizer.scheduler"),
        ({"scheduler": "piecewise_constant"}, {}, "optimizer.scheduler"),
        ({"scheduler": "piecewise_constant", "warmup_steps": 5},
         {"lr_scheduler_args": ["step_rules='1:10,0.1'"]}, "optimizer.warmup_steps"),
        ({"scheduler": "adafactor:1e-3"}, {}, "optimizer.scheduler"),
        ({"name": "adafactor", "scheduler": "adafactor"}, {}, "optimizer.scheduler"),
        ({"name": "adafactor", "scheduler": "adafactor:1e-3", "warmup_steps": 5}, {}, "optimizer.warmup_steps"),
        ({"name": "adafactor", "arguments": {"relative_step": True}, "warmup_steps": 5}, {},
         "optimizer.warmup_steps"),
        ({"name": "AdamWScheduleFree", "scheduler": "cosine"}, {}, "optimizer.scheduler"),
        ({"name": "AdamWScheduleFree", "warmup_steps": 5}, {}, "optimizer.warmup_steps"),
        ({"warmup_steps": 5}, {"lr_scheduler_type": "CosineAnnealingLR"}, "optimizer.warmup_steps"),
    ],
)  # fmt: skip
def test_what_ends_the_run_once_the_model_is_loaded_is_refused_before(optimizer, options, field):
    wanted = spec(optimizer=optimizer, engine_options={"kohya_ss": {"config": options}})
    assert list(refused(wanted)) == [field]


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ({"arguments": {"betas": "0.9,0.99", "decouple": True, "x": None, "d": [1, 2]}}, {}),
        (
            {"scheduler": "cosine_with_min_lr", "warmup_steps": 5},
            {"lr_scheduler_min_lr_ratio": 0.1},
        ),
        ({"scheduler": "cosine_with_min_lr"}, {"lr_scheduler_args": ["min_lr=1e-6"]}),
        ({"scheduler": "piecewise_constant"}, {"lr_scheduler_args": ["step_rules='1:10,0.1'"]}),
        ({"scheduler": "warmup_stable_decay", "warmup_steps": 5}, {}),
        ({"name": "adafactor", "scheduler": "adafactor:1e-3"}, {}),
        (
            {"name": "adafactor", "scheduler": "adafactor", "arguments": {"relative_step": "True"}},
            {},
        ),
        ({"name": "AdamWScheduleFree", "arguments": {"warmup_steps": 5}}, {}),
        ({"scheduler": "cosine"}, {"lr_scheduler_type": "CosineAnnealingLR"}),
    ],
)
def test_what_the_engine_takes_is_not_refused(optimizer, options):
    config(spec(optimizer=optimizer, engine_options={"kohya_ss": {"config": options}}))

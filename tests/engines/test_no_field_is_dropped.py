"""What is asked for reaches the engine or is refused by its name: no field is dropped in silence."""

from __future__ import annotations

import tomllib
from functools import cache

import pytest
from pydantic import ValidationError

from engines import abilities, families, presets
from engines.adapter import ENGINES
from engines.ai_toolkit.importing import import_config as read_ai_toolkit
from engines.base import UnsupportedError
from engines.fields import table
from engines.kohya_ss.importing import import_config as read_kohya
from engines.spec import JobSpec
from tests.support import yaml_reading
from tests.support.roundtrip import SPACE

PAIRS = [(key, name) for key in ("sdxl", "flux") for name in families.families()[key].engines]
BOTH = ("ai-toolkit", "kohya_ss")
"""Whose native files are read here, since they take options beside the fields and are imported."""
ELSEWHERE = abilities.ALWAYS | {"gpus"}
"""Said by the place the job runs in, or checked by other means."""
OPEN = frozenset(
    {"config.network_module", "config.network_args", "config.sample_sampler", "config.training_comment",
     "network.lokr_factor", "train.lr_scheduler_params.end_factor",
     "train.lr_scheduler_params.start_factor"}
)  # fmt: skip
"""Keys that a field writes a part of, or that are free to be set beside it."""
OTHER_VALUES = {"loss.guidance": 3.5}
"""Where the value that is tried by itself is the model's own."""


def values(path):
    """What is asked for in this field, and what stands beside it."""
    row = table()[path]
    usual = OTHER_VALUES.get(path, abilities.away_from_default(row))
    words = [word for word in abilities.words(path) if word != row.default] or [usual]
    prompts = {"sampling.prompts": ["a dog"]} if path.startswith("sampling.") else {}
    for beside in abilities.BESIDE.get(path, ({},)):
        for word in words:
            yield {**prompts, **beside}, word


def planned(engine, family, changes):
    """Everything that reaches the engine; None where it refuses."""
    try:
        spec = JobSpec.model_validate(abilities.probe(family, engine.name, changes))
        plan = engine.plan(spec, SPACE)
    except (UnsupportedError, ValidationError):
        return None
    return plan.files, plan.argv, plan.env


@cache
def tries(name, family, path):
    """What the engine gets with and without each value of the field, where it takes both."""
    found = []
    for beside, value in values(path):
        asked = planned(ENGINES[name], family, {**beside, path: value})
        plain = planned(ENGINES[name], family, {k: v for k, v in beside.items() if k != path})
        if asked is not None and plain is not None:
            found.append((asked, plain))
    return found


def is_dropped(name, family, path):
    """Whether the engine takes values of the field, and not one of them changes anything."""
    found = tries(name, family, path)
    return bool(found) and all(asked == plain for asked, plain in found)


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_every_field_reaches_the_engine_or_is_refused(family, engine):
    dropped = [p for p in table() if p not in ELSEWHERE and is_dropped(engine, family, p)]
    assert dropped == []


def flat(value, place=()):
    """Every leaf with the keys that lead to it; a list of plain values is a leaf."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, (*place, key))
    else:
        yield place, value


def options_written(plan):
    """What stands in the job's native file, as it would be asked for among the engine options."""
    files = plan[0]
    if "config.toml" in files:
        return {("config", *key): value for key, value in flat(tomllib.loads(files["config.toml"]))}
    return dict(flat(yaml_reading.load(files["config.yaml"])["config"]["process"][0]))


def nested(keys, value):
    return {keys[0]: nested(keys[1:], value)} if keys else value


def unguarded(name, family, path):
    """Native keys that the field writes and that the engine options may write as well."""
    for asked, plain in tries(name, family, path):
        before = options_written(plain)
        for keys, after in options_written(asked).items():
            if before.get(keys) == after or keys[0] in ("datasets", "meta"):
                continue
            options = {name: nested(keys, after)}
            key = ".".join(keys)
            if key not in OPEN and planned(ENGINES[name], family, {"engine_options": options}):
                yield key


@pytest.mark.parametrize("engine", BOTH)
def test_a_key_that_a_field_writes_is_refused_among_the_engine_options(engine):
    found = {path: {*unguarded(engine, "sdxl", path)} for path in table() if path not in ELSEWHERE}
    assert {path: keys for path, keys in found.items() if keys} == {}


def again(name, plan):
    """What the engine gets from its own files when they were imported."""
    files = dict(plan[0])
    if name == "kohya_ss":
        found = read_kohya(files.pop("config.toml"), "config.toml", files)
    else:
        found = read_ai_toolkit(files["config.yaml"], "config.yaml")
    spec = JobSpec.model_validate(presets.complete(found.document, gpu=True))
    return options_written((ENGINES[name].plan(spec, SPACE).files,))


def lost(name, family, path):
    """Native keys that the field writes and that are others after an import."""
    for asked, plain in tries(name, family, path)[:1]:
        before, written = options_written(plain), options_written(asked)
        ours = {keys: value for keys, value in written.items() if before.get(keys) != value}
        there = again(name, asked) if ours else {}
        yield from (
            ".".join(keys) for keys in ours if _worth(there.get(keys)) != _worth(ours[keys])
        )


def _worth(value):
    """The value; arguments (``alpha=8``) without how their number is written."""
    return [str(one).removesuffix(".0") for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("engine", BOTH)
def test_what_a_field_writes_comes_back_by_an_import(engine):
    found = {path: {*lost(engine, "sdxl", path)} for path in table() if path not in ELSEWHERE}
    assert {path: keys for path, keys in found.items() if keys} == {}


@pytest.mark.parametrize(("engine", "family"), [("ai-toolkit", "sd2"), ("kohya_ss", "qwen_image")])
def test_a_family_that_an_engine_does_not_train_is_refused_by_its_name(engine, family):
    spec = JobSpec.model_validate(abilities.probe("sdxl", engine, {})).model_copy(
        update={"family": family}
    )
    with pytest.raises(UnsupportedError, match=f"{engine} does not train {family}"):
        ENGINES[engine].plan(spec, SPACE)

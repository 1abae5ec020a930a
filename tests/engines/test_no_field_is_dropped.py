"""What is asked for reaches the engine or is refused by its name: no field is dropped in silence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines import abilities, families
from engines.base import UnsupportedError
from engines.fields import table
from engines.registry import ENGINES
from engines.spec import JobSpec
from tests.support.roundtrip import SPACE

PAIRS = [(key, name) for key in ("sdxl", "flux") for name in families.families()[key].engines]
ELSEWHERE = abilities.ALWAYS | {"gpus"}
"""Said by the place the job runs in, or checked by other means."""
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


def is_dropped(engine, family, path):
    """Whether no value of the field changes what the engine gets, and it refuses not one."""
    tried = False
    for beside, value in values(path):
        asked = planned(engine, family, {**beside, path: value})
        plain = planned(engine, family, {k: v for k, v in beside.items() if k != path})
        if asked is None or plain is None:
            continue
        if asked != plain:
            return False
        tried = True
    return tried


@pytest.mark.parametrize(("family", "engine"), PAIRS)
def test_every_field_reaches_the_engine_or_is_refused(family, engine):
    dropped = [p for p in table() if p not in ELSEWHERE and is_dropped(ENGINES[engine], family, p)]
    assert dropped == []

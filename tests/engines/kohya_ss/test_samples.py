"""When sd-scripts draws samples, and when it never comes to it."""

from __future__ import annotations

from tests.engines.kohya_ss.test_plan import plan, spec


def test_samples_that_a_short_run_never_comes_to_are_told():
    wanted = {"every_steps": 250, "prompts": ["a dog"]}
    told = "No sample will be drawn: one is due every 62 epochs, and the run has 3."
    assert told in plan(spec(length={"steps": 10}, sampling=wanted)).notes
    assert told not in plan(spec(length={"steps": 10}, sampling={**wanted, "prompts": []})).notes
    at_first = {"kohya_ss": {"config": {"sample_at_first": True}}}
    begun = plan(spec(length={"steps": 10}, sampling=wanted, engine_options=at_first))
    assert told not in begun.notes
    enough = plan(spec(length={"steps": 10}, sampling={**wanted, "every_steps": 12}))
    assert not [note for note in enough.notes if "sample" in note]

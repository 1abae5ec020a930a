"""What an engine would be given for a document, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.jobs import checking, elsewhere, preflight
from app.jobs.cluster_card import cluster_card, usual_card_gb
from app.jobs.dataset_glance import Glance, glances
from app.jobs.preflight import Preflight
from app.platform import current
from engines.spec import EngineName


@dataclass(frozen=True)
class Preview:
    """What an engine would be given, before anything is written. ``env`` holds no secret."""

    engine: EngineName | None
    errors: dict[str, str]
    warnings: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    total_steps: int | None = None
    steps_per_epoch: int | None = None
    epochs: int | None = None
    images: int | None = None
    flight: Preflight | None = None
    glances: tuple[Glance, ...] = ()


def preview(
    document: Mapping[str, Any],
    *,
    card_gb: float | None = None,
    place: Mapping[str, str] | None = None,
) -> Preview:
    """The exact native files and command; quick, so it decodes no picture.

    ``card_gb`` is the card that defaults are for; None means the smallest where it will run, which
    is what ``place`` (executor and fields of SlurmOptions) and the settings say.
    What is still missing is stood in for, so that there is something to see from the start.
    """
    checked = _check(document, card_gb, place or {})
    if checked.plan is None:
        return Preview(checked.engine, checked.errors, checked.warnings)
    plan = checked.plan
    complaints = tuple(checked.errors.values())
    return Preview(
        engine=checked.engine,
        errors=checked.errors,
        warnings=checked.warnings,
        files=dict(plan.files),
        argv=plan.argv,
        cwd=str(plan.cwd),
        env=dict(plan.env),
        notes=tuple(note for note in plan.notes if not note.endswith(complaints)),
        sources=dict(plan.sources),
        total_steps=plan.total_steps,
        steps_per_epoch=plan.steps_per_epoch,
        epochs=plan.epochs,
        images=sum(f.images for f in checked.facts) if checked.facts else None,
        flight=_flight(checked, place or {}),
        glances=_glances(checked),
    )


def _check(
    document: Mapping[str, Any], card_gb: float | None, place: Mapping[str, str]
) -> checking.Checked:
    checked = checking.check(
        current(), _stood_in(document), thorough=False,
        card_gb=usual_card_gb(current(), place, card_gb),
        gpus=elsewhere.gpus_for(current().settings, place),
    )  # fmt: skip
    for field_name in ("name", "datasets"):
        if field_name not in document:
            key = "datasets.0.path" if field_name == "datasets" else field_name
            checked.errors[key] = "This is needed."
    return checked


def _glances(checked: checking.Checked) -> tuple[Glance, ...]:
    if checked.spec is None or checked.engine is None:
        return ()
    return tuple(glances(checked.spec, checked.engine, checked.facts))


def _flight(checked: checking.Checked, place: Mapping[str, str]) -> Preflight | None:
    if checked.spec is None or checked.engine is None or checked.plan is None:
        return None
    spec = checked.spec
    return preflight.examine(
        current(), spec, checked.engine, checked.plan, checked.facts,
        place=cluster_card(current(), place, spec.gpus),
    )  # fmt: skip


def _stood_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with something where a name or a folder is not given yet."""
    given = {"name": "untitled", "datasets": [{"path": "dataset"}], **document}
    if isinstance(given["datasets"], list):
        given["datasets"] = [
            {"path": "", **entry} if isinstance(entry, dict) else entry
            for entry in given["datasets"]
        ]
    return given

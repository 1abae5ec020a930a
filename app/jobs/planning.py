"""Plans a spec and holds the plan against what the engine accepts: nothing unknown reaches it."""

from __future__ import annotations

from app.jobs.installations import Installation
from engines.base import LaunchPlan, OptionList, Refusal, UnsupportedError, Workspace
from engines.spec import JobSpec


def plan(installation: Installation, spec: JobSpec, space: Workspace) -> LaunchPlan:
    """The plan of the installation's engine. Both engines ignore an unknown key in silence.

    ``space.options`` is what the engine is known to accept. Raises UnsupportedError for what it
    cannot honour, and for each native key or value that the engine does not know.
    """
    engine = installation.engine
    made = engine.plan(spec, space)
    known = space.options or engine.shipped_options()
    unknown = [*_unknown(installation, spec, made, known)]
    if unknown:
        raise UnsupportedError(engine.name, unknown)
    return made


def _unknown(
    installation: Installation, spec: JobSpec, made: LaunchPlan, known: OptionList
) -> list[Refusal]:
    found = []
    for complaint in installation.engine.complaints(spec, made.files, known):
        field = made.sources.get(complaint.key, "engine")
        remedy = "Leave it at its default, or use" if field != "engine" else "Use"
        found.append(
            Refusal(
                field,
                f"{complaint.message} That is what the list says ({known.source}). {remedy} "
                f"another version of {installation.name}.",
            )
        )
    return found

"""What people ask for about giving the machine back: when, not yet, or now.

The supervisor decides and acts (``autostop.py``), in its own thread; here it is told and woken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import preferences, tasks, waking
from app.errors import ConflictError
from app.jobs import store
from app.vast import MeterPreferences

if TYPE_CHECKING:
    from app.platform import Platform

CONFIRMATION = "destroy"


def set_rules(platform: Platform, wanted: MeterPreferences, typed: str) -> str:
    """Keep what was chosen; what speaks against it as a sentence, and then nothing is kept."""
    before = preferences.load(MeterPreferences)
    if wanted.policy == "destroy" != before.policy and typed.strip().lower() != CONFIRMATION:
        return (
            f"Type {CONFIRMATION} to choose this: everything that was not copied is deleted with "
            "the machine, and nobody can bring it back."
        )
    preferences.save(wanted)
    platform.supervisor.autostop.touch()
    return ""


def keep_running(platform: Platform) -> None:
    """Somebody wants the machine to go on."""
    platform.supervisor.autostop.keep()
    waking.ring(platform.settings.data_dir)


def stop_now(platform: Platform, *, anyway: bool) -> str:
    """Stop the machine; what was not copied as a sentence, and then nothing is done.

    Raises ConflictError while something runs, or where nobody can. Needs an application context.
    """
    if platform.vast.client is None:
        raise ConflictError(
            "This program has no key of a Vast instance, so it cannot stop this machine."
        )
    active = store.active()
    if active:
        raise ConflictError(
            f"Job {active[0].id} still runs. Stop it first (it can save before it stops), then the machine."
        )
    if tasks.active("deliver"):
        raise ConflictError("Files are being copied. Wait for them, or cancel them first.")
    missing = platform.undelivered()
    if any(missing) and not anyway:
        return missing.holds or f"{missing.stays}."
    platform.supervisor.autostop.stop_now()
    waking.ring(platform.settings.data_dir)
    return ""

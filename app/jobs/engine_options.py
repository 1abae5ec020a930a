"""What the installed engines accept, read from their own sources by ``vast-lora doctor``.

Reading parses megabytes of Python, about a second and 100 MB, so the server leaves it alone.
"""

from __future__ import annotations

from app.jobs.installations import Installation
from engines.base import OptionList


def of(installation: Installation) -> tuple[OptionList, str]:
    """The list of an installation, and why it could not be read (empty when it could).

    Where it cannot be read, the list shipped for the pinned commit takes its place.
    """
    home, engine = installation.home, installation.engine
    try:
        files = {path for pattern in engine.option_sources() for path in home.glob(pattern)}
        texts = {str(p.relative_to(home)): p.read_text("utf-8", "replace") for p in sorted(files)}
        return engine.read_options(texts), ""
    except (OSError, ValueError) as error:
        why = f"its options could not be read ({error}); the list of the pinned commit is used"
        return engine.shipped_options(), why

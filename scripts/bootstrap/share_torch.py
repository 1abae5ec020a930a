"""Links torch and what it needs from the environment that runs this into another one.

    BASE/bin/python share_torch.py ENGINE_SITE_PACKAGES

So torch, 6 GB with CUDA, lies on the disk once. Links and no path file: nothing else of the base
reaches the engine. Prints what torch needs besides, a pin a line: pip installs that, since through a
link it would replace the base's own. Ends with a sentence where it cannot share.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

FAMILY = frozenset({"torch", "torchvision", "torchaudio", "torchcodec", "triton", "pytorch-triton"})
PREFIXES = ("nvidia-", "cuda-")


def main(arguments: list[str]) -> int:
    target = Path(arguments[0])
    found = {_name(dist.metadata["Name"] or ""): dist for dist in distributions()}
    if "torch" not in found:
        print(f"{sys.executable} has no torch to share.", file=sys.stderr)
        return 1
    for name in filter(_is_family, sorted(found)):
        for entry in _entries(found[name]):
            _link(entry, target / entry.name)
    for name in sorted(_needed(found)):
        print(f"{name}=={found[name].version}")
    return 0


def _needed(found: dict[str, Distribution]) -> set[str]:
    """What the family needs, and what that needs, as far as the base has it."""
    seen: set[str] = set()
    todo = [name for name in found if _is_family(name)]
    while todo:
        for text in found[todo.pop()].requires or ():
            name = _name(re.split(r"[^\w.-]", text, maxsplit=1)[0])
            if "extra ==" not in text and name in found and name not in seen:
                seen.add(name)
                todo.append(name)
    return {name for name in seen if not _is_family(name)}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _is_family(name: str) -> bool:
    return name in FAMILY or name.startswith(PREFIXES)


def _entries(dist: Distribution) -> list[Path]:
    """The top-level folders and files of a package, as they lie beside each other."""
    site = Path(str(dist.locate_file("")))
    tops = {file.parts[0] for file in dist.files or ()} - {"..", "__pycache__"}
    return sorted(site / top for top in tops if (site / top).exists())


def _link(source: Path, place: Path) -> None:
    source = source.resolve()
    if place.is_symlink():
        if Path(os.path.realpath(place)) == source:
            return
        place.unlink()
    elif place.exists():
        raise SystemExit(
            f"{place} is there already and is no link; remove it, then run this again."
        )
    place.symlink_to(source)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

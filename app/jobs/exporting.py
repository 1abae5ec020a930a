"""A job as a folder that runs without us: native files, the spec, a script and a few words.

The native files hold a placeholder where their own folder's path belongs; ``run.sh`` writes them
anew with that path on every start, so the folder may lie anywhere. No file holds a secret.
"""

from __future__ import annotations

import io
import re
import shlex
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import datasets, yaml_text
from app.errors import InvalidSpecError
from app.jobs import checking, opening, rendering, workspace
from app.jobs.engine_options import OptionLibrary
from app.jobs.installations import Installation
from app.settings import Settings
from engines import families
from engines.base import DatasetFacts, LaunchPlan, ResumePoint, Workspace
from engines.registry import EngineName, setting_prefix
from engines.spec import JobSpec

_HERE, _HOME, _PYTHON = "/@HERE@", "/@ENGINE@", "@PYTHON@"
_SHELL = {_HERE: '"$here"', _HOME: '"$home"', _PYTHON: '"$python"'}
_BARE = re.compile(rf'(?<!")({re.escape(_HERE)}[^\s"]*)')
_TEMPLATES = Path(__file__).parent / "export"
RUN = "run.sh"


@dataclass(frozen=True)
class Exported:
    """``files`` maps paths in the folder to their text; ``run.sh`` is executable.

    ``name`` is the folder's usual name. ``needs`` are the files and folders of this machine, and
    the hub ids, that the run reads, by field. ``notes`` are sentences for people.
    """

    name: str
    files: Mapping[str, str]
    needs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def export(
    document: Mapping[str, Any],
    engine: EngineName | None,
    settings: Settings,
    library: OptionLibrary,
) -> Exported:
    """Plan ``document`` for a folder of its own. Raises InvalidSpecError.

    ``library`` knows what the installed engines accept. Pictures are counted where they are there,
    so that an epoch is what it is in a job. An incomplete spec is exported with notes about what
    it lacks.
    """
    opened = opening.open_folders(document, settings)
    given = {**opened.document, "engine": engine} if engine else opened.document
    homes: list[Installation] = []

    def place(found: Installation, spec: JobSpec, *, count: bool) -> Workspace:
        homes.append(found)
        return Workspace(
            native=Path(_HERE, "ready"),
            output=Path(_HERE, "output"),
            logs=Path(_HERE, "logs"),
            home=Path(_HOME),
            python=_PYTHON,
            job_id="",
            datasets=_facts(spec, found.name) if count else None,
            gpus=tuple(range(spec.gpus)),
            resume=workspace.starting_point(spec, settings),
            options=library.now(found).options,
        )

    try:
        spec, plan = rendering.planned(given, settings, lambda f, s: place(f, s, count=True))
    except InvalidSpecError as error:
        if not all(field.startswith("components.") for field in error.errors):
            raise
        # Without a component nothing starts, but the files can be written and completed by hand.
        spec, plan = rendering.planned(given, settings, lambda f, s: place(f, s, count=False))
    return _exported(spec, plan, homes[-1], settings)


def _facts(spec: JobSpec, engine: EngineName) -> tuple[DatasetFacts, ...] | None:
    """What lies in the dataset folders; None unless every one holds pictures."""
    found = []
    for dataset in spec.datasets:
        if not dataset.path.strip() or not Path(dataset.path).is_dir():
            return None
        report = datasets.look(
            Path(dataset.path),
            caption_extension=dataset.caption_extension,
            engine=engine,
            decode_seconds=0.0,
            material=checking.material(spec),
        )
        if not report.facts.images:
            return None
        found.append(report.facts)
    return tuple(found) or None


def _exported(
    spec: JobSpec, plan: LaunchPlan, installation: Installation, settings: Settings
) -> Exported:
    resume = workspace.starting_point(spec, settings)
    needs = tuple(_needs(spec, resume))
    gaps = tuple(f"{field}: {text}" for field, text in spec.missing().items())
    words = _words(spec, plan, installation, [path for _, path in needs if path.startswith("/")])
    words["needs"] = "".join(f"  {field:<28} {path}\n" for field, path in needs) or "  nothing\n"
    words["notes"] = "".join(f"- {note}\n" for note in (*gaps, *plan.notes))
    document = spec.model_copy(update={"engine": installation.name})
    files = {
        "README.txt": _filled("README.txt", words),
        RUN: _filled(RUN, words),
        "spec.yaml": yaml_text.dump(document.model_dump(mode="json", by_alias=True)),
        **{f"native/{name}": _quoted(text) for name, text in plan.files.items()},
    }
    return Exported(f"{spec.name}-{installation.name}", files, needs, (*gaps, *plan.notes))


def _quoted(text: str) -> str:
    """The text with each placeholder between double quotes, where TOML and YAML escape alike."""
    return _BARE.sub(r'"\1"', text)


def _needs(spec: JobSpec, resume: ResumePoint | None) -> Iterator[tuple[str, str]]:
    if spec.base_model:
        yield "base_model", spec.base_model
    for name, path in spec.components.items():
        yield f"components.{name}", path
    for place, dataset in enumerate(spec.datasets):
        if dataset.path.strip():
            yield f"datasets.{place}.path", dataset.path
    if resume is not None:
        yield "resume", str(resume.path)


def _words(
    spec: JobSpec, plan: LaunchPlan, installation: Installation, paths: list[str]
) -> dict[str, str]:
    """What the templates are filled with; whatever the shell reads is quoted for it."""
    return {
        "name": spec.name,
        "engine": installation.name,
        "prefix": setting_prefix(installation.name),
        "home": shlex.quote(str(installation.home)),
        "python": shlex.quote(installation.python),
        "script": installation.engine.traits.script,
        "paths": " ".join(map(shlex.quote, paths)),
        "environment": "\n".join(_exports(plan.env)),
        "command": " ".join(map(_shell, plan.argv)),
        "final": plan.final,
        "steps": str(plan.total_steps or "as many as the pictures make"),
        "again": installation.engine.traits.again,
    }


def _exports(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        if name == "CUDA_VISIBLE_DEVICES":
            # Whoever starts it may have chosen other cards.
            yield f'export {name}="${{{name}:-{value}}}"'
        else:
            yield f"export {name}={shlex.quote(value)}"


def _shell(argument: str) -> str:
    """One word of the command, with the placeholders as the script's variables."""
    for mark, variable in _SHELL.items():
        head, found, rest = argument.partition(mark)
        if found and not head:
            return variable + (shlex.quote(rest) if rest else "")
    return shlex.quote(argument)


def _filled(name: str, words: Mapping[str, str]) -> str:
    """A file beside this module with each {{word}} put in."""
    text = (_TEMPLATES / name).read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


def others(family: str, engine: str) -> tuple[EngineName, ...]:
    """Engines that train the family too."""
    found = families.get(family)
    return tuple(name for name in (found.engines if found else ()) if name != engine)


def zipped(exported: Exported) -> bytes:
    """The folder as a zip, its script executable."""
    packed = io.BytesIO()
    moment = time.localtime()[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in exported.files.items():
            entry = zipfile.ZipInfo(f"{exported.name}/{name}", moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name == RUN else 0o100644) << 16
            archive.writestr(entry, text)
    return packed.getvalue()


def written(exported: Exported, out: Path) -> Path:
    """The same files in the folder ``out``, made where it is missing; the path of its script."""
    for name, text in exported.files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (out / RUN).chmod(0o755)
    return out / RUN

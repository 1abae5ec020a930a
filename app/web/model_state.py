"""What the New job form says of its base model: here, on its way, or to be had with one click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app import tasks
from app.base_models import Hub, orders, resolve
from app.models import Task
from app.platform import current
from app.settings import HUB_OFFLINE_BRIEF
from engines import families, sizing


@dataclass(frozen=True)
class ModelState:
    """``gigabytes`` is None where nobody published it; ``task`` is the newest download of it."""

    kind: Literal["nothing", "here", "coming", "cut", "absent", "refused", "offline"]
    text: str = ""
    task: Task | None = None
    gigabytes: float | None = None
    sentence: str = ""
    page: str = ""
    """Of the repository on the Hub, where its licence is accepted."""

    @property
    def version(self) -> str:
        """Changes with everything that is shown."""
        return f"{self.kind}.{self.task.id}.{self.task.version}" if self.task else self.kind


def of(values: Mapping[str, str]) -> ModelState:
    """The state for these fields. Asks no network: an answer that is not known yet is not waited for."""
    text = values.get("base_model", "").strip()
    platform = current()
    place = resolve(text, platform.settings.data_dir) if text else None
    if not isinstance(place, Hub):
        return ModelState("nothing", text)
    task = orders.download_of(place)
    if task is not None and not task.is_final:
        return ModelState("coming", text, task)
    if platform.hub.is_cached(place.repo, place.file):
        return ModelState("here", text)
    if platform.settings.hf_hub_offline:
        return ModelState("offline", text, sentence=HUB_OFFLINE_BRIEF)
    answer = platform.hub.ask(place.repo, place.file)
    if answer is not None and not answer.ok and answer.certain:
        page = f"{platform.settings.hf_endpoint}/{place.repo}"
        return ModelState("refused", text, sentence=answer.sentence, page=page)
    if task is not None and task.state in ("failed", "cancelled"):
        return ModelState("cut", text, task)
    return ModelState("absent", text, gigabytes=_size(values.get("family", ""), text))


def _size(key: str, text: str) -> float | None:
    """What the family's usual model weighs; of another nobody knows before asking."""
    family = families.get(key)
    if family is None or family.default_model != text:
        return None
    return sizing.download_gb(key)


def act(values: Mapping[str, str], wish: str) -> None:
    """Start, go on with, or cancel the download of the form's base model. Raises UserError."""
    text = values.get("base_model", "").strip()
    settings = current().settings
    if wish != "cancel":
        orders.download(settings, text)
        return
    place = resolve(text, settings.data_dir)
    task = orders.download_of(place) if isinstance(place, Hub) else None
    if task is not None and not task.is_final:
        tasks.cancel(task)

"""Where copies go. Keys and tokens lie in the vault; here is what a page may show."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app import preferences
from app.base_models.tokens import SECRET as HUB_TOKEN
from app.delivery.choosing import WHAT, What
from app.errors import InvalidSpecError, NotFoundError
from app.models import Job
from app.platform import current
from app.preferences import Preferences

Kind = Literal["hub", "s3", "rclone"]
KINDS: dict[Kind, str] = {
    "hub": "Hugging Face",
    "s3": "S3 bucket",
    "rclone": "rclone remote",
}
When = Literal["never", "success", "always"]
WHEN: dict[When, str] = {
    "never": "Only by button",
    "success": "After every job that succeeded",
    "always": "After every job, also a failed or stopped one that saved something",
}
_PLACES = {
    "hub": re.compile(r"(?:[\w.-]+/)?[\w.{}-]+"),
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^\s].*)?"),
    # A remote that is configured on the fly (":s3,secret=...:") would carry its keys in sight.
    "rclone": re.compile(r"[\w][\w.+@ -]*:.*"),
}
_WRONG = {
    "hub": "Give a repository, such as {name}-{id} or my-team/{name}-{id}.",
    "s3": "Give a bucket and a folder in it, such as my-bucket/loras/{name}-{id}.",
    "rclone": "Give a remote that rclone knows and a folder, such as drive:loras/{name}-{id}.",
}


class Target(BaseModel):
    """One place. ``place`` may hold {name} and {id} of the job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: Kind
    name: str
    place: str
    what: tuple[What, ...] = ("lora", "samples", "config")
    automatic: When = "never"
    since: float = 0.0
    """When it was last set what goes there by itself (epoch seconds); a job that ended before is left
    to people."""
    private: bool = True
    licence: str = ""
    endpoint: str = ""
    region: str = ""
    config: str = ""

    def place_of(self, job: Job) -> str:
        """Where the files of a job go, with the job's name made fit for an address."""
        safe = re.sub(r"[^A-Za-z0-9._-]+|\.\.+|--+", "-", job.name).strip("-.") or "lora"
        return self.place.replace("{name}", safe).replace("{id}", str(job.id))

    def why_not(self) -> str:
        """Why nothing can go there however long one waits; empty where it can."""
        return current().settings.why_no_hub if self.kind == "hub" else ""

    def secret(self, name: str) -> str:
        """The name of one of its secrets in the vault."""
        return HUB_TOKEN if self.kind == "hub" else f"delivery.{self.id}.{name}"


class DeliveryPreferences(Preferences):
    """Every place."""

    targets: tuple[Target, ...] = ()


def targets() -> tuple[Target, ...]:
    """All of them, in the order in which they were added."""
    return preferences.load(DeliveryPreferences).targets


def find(target_id: str) -> Target:
    """Raises NotFoundError."""
    found = next((target for target in targets() if target.id == target_id), None)
    if found is None:
        raise NotFoundError("There is no such place for copies; it may have been removed.")
    return found


def add(kind: str, fields: Mapping[str, str], what: Iterable[str]) -> Target:
    """Keep a new target; its secrets go to the vault. Raises InvalidSpecError."""
    if kind not in KINDS:
        raise InvalidSpecError({"kind": "Choose Hugging Face, S3 or rclone."})
    given = {name: value.strip() for name, value in fields.items()}
    chosen = known(what)
    if errors := _errors(kind, given, chosen):
        raise InvalidSpecError(errors)
    target = Target(
        id=secrets.token_hex(4),
        kind=kind,
        name=given.get("name") or KINDS[kind],
        place=given["place"],
        what=chosen,
        automatic=_when(given.get("automatic", "")),
        since=time.time(),
        private=given.get("public") != "1",
        **{key: given.get(key, "") for key in ("licence", "endpoint", "region", "config")},
    )
    vault = current().vault
    for name in ("token", "key_id", "key"):
        if given.get(name):
            vault.put(target.secret(name), given[name])
    _store(lambda known: (*known, target))
    return target


def _errors(kind: str, given: Mapping[str, str], chosen: tuple[What, ...]) -> dict[str, str]:
    errors = {}
    place = given.get("place", "")
    if not _PLACES[kind].fullmatch(place) or ".." in place or len(place) > 300:
        errors["place"] = _WRONG[kind]
    if not chosen:
        errors["what"] = "Choose at least one kind of file."
    if len(given.get("name", "")) > 80:
        errors["name"] = "At most 80 characters."
    endpoint = given.get("endpoint", "")
    if endpoint and not re.fullmatch(r"https?://[^\s@/]+(/\S*)?", endpoint):
        errors["endpoint"] = "Give an address that begins with https:// and holds no password."
    if bool(given.get("key_id")) != bool(given.get("key")):
        errors["key"] = "Give both the key id and the secret key, or neither."
    return errors


def change(target_id: str, automatic: str, what: Iterable[str]) -> None:
    """Set when it is used and for what."""
    chosen = known(what)
    if not chosen:
        raise InvalidSpecError({"what": "Choose at least one kind of file."})
    find(target_id)
    new = {"automatic": _when(automatic), "what": chosen}
    _store(lambda known: [_set(t, new) if t.id == target_id else t for t in known])


def _set(target: Target, new: Mapping[str, object]) -> Target:
    changed = target.model_copy(update=new)
    return target if changed == target else changed.model_copy(update={"since": time.time()})


def remove(target_id: str) -> None:
    """Forget it with its keys; what lies there stays there. The Hub's token is not only its own."""
    found = find(target_id)
    _store(lambda known: [target for target in known if target.id != target_id])
    if found.kind != "hub":
        for name in ("key_id", "key"):
            current().vault.put(found.secret(name), None)


def _store(make: Callable[[tuple[Target, ...]], Iterable[Target]]) -> None:
    preferences.change(
        DeliveryPreferences, lambda now: DeliveryPreferences(targets=tuple(make(now.targets)))
    )


def known(what: Iterable[str]) -> tuple[What, ...]:
    """The kinds of file that there are, in their order."""
    wanted = set(what)
    return tuple(kind for kind in WHAT if kind in wanted)


def _when(value: str) -> When:
    return value if value in WHEN else "never"

"""Web addresses that people give for a download: read, and kept out of the database as far as they hold secrets."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urlsplit

from app.errors import UserError
from app.settings import Settings
from app.vault import Vault

NO_WEB = "Only http and https addresses can be fetched."
_AS_IT_IS = "%/:@!$&'()*+,;=?~-._[]|"
"""What is no longer quoted: it is so already, or means something."""


def read(text: str) -> SplitResult:
    """The parts of an address, each letter that a request cannot carry quoted. Raises UserError."""
    try:
        parts = urlsplit(text.strip())
        known = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise UserError(f"This is no web address: {error}.") from error
    if parts.scheme not in ("http", "https") or not known:
        raise UserError(NO_WEB)
    path, query = (quote(part, safe=_AS_IT_IS) for part in (parts.path, parts.query))
    return parts._replace(path=path, query=query, fragment="")


def shown(parts: SplitResult) -> str:
    """The address for people: a login or a query may hold a key."""
    return parts._replace(netloc=host(parts), query="").geturl()


def host(parts: SplitResult) -> str:
    """Name and port, without a login."""
    return parts.netloc.rpartition("@")[2]


def hide(settings: Settings, text: str, name: str) -> dict[str, str]:
    """As arguments of a task, which are stored: the whole address lies in the vault under ``name``, where
    not all of it may be seen. Raises UserError where it is no web address."""
    parts = read(text)
    url, address = shown(parts), parts.geturl()
    if url == address:
        return {"url": url}
    Vault(settings.data_dir).put(name, address)
    return {"url": url, "secret": name}


def whole(settings: Settings, arguments: Mapping[str, str]) -> str:
    """The address that ``hide`` took apart."""
    secret = arguments.get("secret", "")
    return (secret and Vault(settings.data_dir).get(secret)) or arguments["url"]


def forget(settings: Settings, arguments: Mapping[str, str]) -> None:
    """Take it out of the vault: nobody needs it any more."""
    if secret := arguments.get("secret", ""):
        Vault(settings.data_dir).put(secret, None)

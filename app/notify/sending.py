"""Sends one message, in a process of its own: Apprise is imported here alone.

Just before it is sent a mark is put on disk. A process that was killed between the mark and the
answer may have sent it; its successor finds the mark and sends nothing: better once too few than twice.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.tasks import RetryLaterError, Work
from app.vault import Vault

_STATUS = re.compile(r"error\s?=\s?(\d{3})")
_TYPES = {"finished": "success", "failed": "failure", "upload-failed": "failure", "test": "info"}
_DENIED = (401, 403, 404)


def run(work: Work) -> dict[str, Any]:
    """Send ``title`` and ``body`` to ``target``. Arguments hold no address: it is in the vault."""
    words = work.arguments
    mark = work.log.with_suffix(".sent")
    if mark.exists():
        sentence = "It may have been sent when the program was ended, so it is not sent again."
        work.progress(1, 1, sentence)
        return {"sent": "perhaps"}
    address = Vault(work.settings.data_dir).get(f"notify.{words['target']}")
    if address is None:
        work.progress(1, 1, "The notification was removed meanwhile.")
        return {"sent": "no"}
    try:
        _send(address, words, mark)
    except RetryLaterError as error:
        mark.unlink(missing_ok=True)
        if words["event"] == "test":
            raise UserError(f"{error} Check the address and the network.") from None
        raise
    except UserError:
        mark.unlink(missing_ok=True)
        raise
    work.progress(1, 1, "Sent.")
    return {"sent": "yes"}


def _send(address: str, words: Any, mark: Path) -> None:
    import apprise

    service = apprise.Apprise()
    heard = _Heard()
    logger = logging.getLogger("apprise")
    # Its own words may hold the address: they are looked at, and kept nowhere.
    logger.propagate = False
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    try:
        if not service.add(address):
            raise UserError(
                "Apprise does not understand this address. Look up how the service's is written."
            )
        mark.touch()
        kind = _TYPES.get(words["event"], "warning")
        if service.notify(body=words["body"], title=words["title"], notify_type=kind):
            return
    finally:
        logger.removeHandler(heard)
    raise _why(heard.text)


def _why(text: str) -> Exception:
    """What went wrong, in words of ours."""
    match = _STATUS.search(text)
    status = int(match[1]) if match else 0
    if status in _DENIED:
        return UserError(
            f"The service refused it (HTTP {status}). Its token may be wrong or revoked: add it anew."
        )
    if 400 <= status < 500 and status not in (408, 425, 429):
        return UserError(f"The service refused it (HTTP {status}). Check the address.")
    if status:
        return RetryLaterError(f"The service answered with HTTP {status}.")
    return RetryLaterError("The service could not be reached.")


class _Heard(logging.Handler):
    """Keeps what Apprise says in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"

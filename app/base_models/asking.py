"""The work ``model.token``: asks the Hub who the token belongs to. Runs in a child."""

from __future__ import annotations

from typing import Any

from app.base_models.tokens import hf_token
from app.errors import UserError
from app.tasks import RetryLaterError, Work
from app.transfer import Source, ask


def run(work: Work) -> dict[str, Any]:
    """The name behind the token; a sentence where there is none."""
    import json
    import urllib.error

    token = hf_token(work.settings)
    if token is None:
        raise UserError("No token is set. Type one in on the Models page.")
    try:
        with ask(Source(f"{work.settings.hf_endpoint}/api/whoami-v2", token)) as answer:
            told = json.loads(answer.read(1 << 20))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            raise UserError(
                "The Hub does not know this token. Make a new one and set it here."
            ) from error
        raise RetryLaterError(f"The Hub answered {error.code}.") from error
    except (OSError, ValueError) as error:
        raise RetryLaterError("The Hub does not answer.") from error
    name = str(told.get("name", "")) if isinstance(told, dict) else ""
    return {"name": name or "somebody without a name"}

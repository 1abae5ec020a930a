"""The Hugging Face token: the environment's, else the one that a person typed in."""

from __future__ import annotations

from app.settings import Settings
from app.vault import Vault

SECRET = "hf_token"


def hf_token(settings: Settings) -> str | None:
    """The token in force. The file is read at each call, so that a new one counts at once."""
    return settings.hf_token or Vault(settings.data_dir).get(SECRET)

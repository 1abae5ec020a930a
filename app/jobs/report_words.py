"""What a report may tell of the machine it was made on: no secret, no path of a private folder."""

from __future__ import annotations

import re
from typing import Any

_SECRET = re.compile(r"token|secret|passw|api_?key|credential|authorization", re.IGNORECASE)
_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{8,}|gh[pousr]_[A-Za-z0-9]{8,}|AKIA[A-Z0-9]{8,}|sk-[A-Za-z0-9_-]{8,})"
    r"|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
_PATH = re.compile(
    r"(?<![\w.:/…])(?:/|~/|[A-Za-z]:\\)(?:[^\s'\"<>|:,;/\\]+[/\\])+(?P<last>[^\s'\"<>|:,;/\\]*)"
)
HIDDEN = "(left out)"
_NOT_SECRET = frozenset({"keep_tags", "keep_tokens", "max_token_length", "tokenizer", "tokens"})


def clean(value: Any, key: str = "") -> Any:
    """A document without secrets, and with the last part only of every absolute path."""
    if key and _SECRET.search(key) and key not in _NOT_SECRET and isinstance(value, str) and value:
        return HIDDEN
    if isinstance(value, dict):
        return {clean(str(k)): clean(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item, key) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str) -> str:
    """The same for a sentence."""
    return _PATH.sub(
        lambda found: f"…/{found['last']}" if found["last"] else "…", _VALUE.sub(HIDDEN, text)
    )

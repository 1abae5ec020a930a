"""What can be written down as text: a file's name may be any bytes, and JSON can hold half a character."""

from __future__ import annotations


def is_text(text: str) -> bool:
    """Whether it can be stored and shown, all of it. Python reads the name of a file that is no UTF-8
    with stand-ins (surrogates) that nothing else takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """The same with a question mark for each letter that cannot be written."""
    return text.encode("utf-8", "replace").decode()

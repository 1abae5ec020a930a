"""What huggingface_hub raises where nobody answers or the line is cut. It loads the library: for children only."""

from __future__ import annotations


def cuts() -> tuple[type[Exception], ...]:
    """Errors after which another try may help."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its HTTP library changed its name from version to version; the base of its own errors stays.
    return HfHubHTTPError.__bases__[0], ConnectionError, TimeoutError


def raised() -> tuple[type[Exception], ...]:
    """All that a question to the Hub raises: these, its refusals, and what the disk says."""
    return OSError, *cuts()

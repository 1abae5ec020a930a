"""Pillow, loaded with the first picture that is opened: until then the server is 2 MB smaller.

``from app import pillow``, then ``pillow.Image.open`` and the like.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image as Image
    from PIL import ImageCms as ImageCms
    from PIL import ImageOps as ImageOps


def __getattr__(name: str) -> Any:
    if not name.startswith("Image"):
        raise AttributeError(name)
    module = import_module(f"PIL.{name}")
    if name == "Image":
        # A large picture is the user's business; one that Pillow refuses as a bomb is unreadable.
        warnings.filterwarnings("ignore", category=module.DecompressionBombWarning)
    globals()[name] = module
    return module


def read_errors() -> tuple[type[Exception], ...]:
    """What reading a picture raises. UnidentifiedImageError is an OSError."""
    return (
        OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, EOFError,
        __getattr__("Image").DecompressionBombError,
    )  # fmt: skip

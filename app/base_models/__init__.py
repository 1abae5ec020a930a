"""Base models: what is on disk, where a name points, whether it can be used, and how it gets here."""

from app.base_models.hub import Answer, HubChecker
from app.base_models.library import Entry, Library, ModelPreferences
from app.base_models.library import read as read_library
from app.base_models.local import Hub, Local, check_local, resolve
from app.base_models.tokens import hf_token

__all__ = [
    "Answer",
    "Entry",
    "Hub",
    "HubChecker",
    "Library",
    "Local",
    "ModelPreferences",
    "check_local",
    "hf_token",
    "read_library",
    "resolve",
]

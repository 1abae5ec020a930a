"""Base models: where a name points, and whether it can be used."""

from app.base_models.hub import Answer, HubChecker
from app.base_models.local import Hub, Local, check_local, resolve

__all__ = ["Answer", "Hub", "HubChecker", "Local", "check_local", "resolve"]

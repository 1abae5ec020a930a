"""Dataset folders: what is in them, what is wrong with them, and their fingerprint."""

from app.datasets.looking import Report, fingerprint, look

__all__ = ["Report", "fingerprint", "look"]

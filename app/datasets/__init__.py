"""Dataset folders: what is in them, what is wrong with them, and their fingerprint."""

from app.datasets.fingerprints import fingerprint, stamps
from app.datasets.habits import sub_folders
from app.datasets.looking import Report, look
from app.datasets.telling import Material

__all__ = ["Material", "Report", "fingerprint", "look", "stamps", "sub_folders"]

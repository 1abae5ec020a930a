"""The machine we rent: what it costs, and how to give it back."""

from app.vast.client import Client, Kind, Outcome
from app.vast.keeper import Keeper
from app.vast.policy import MeterPreferences, Undelivered
from app.vast.record import Instance

__all__ = ["Client", "Instance", "Keeper", "Kind", "MeterPreferences", "Outcome", "Undelivered"]

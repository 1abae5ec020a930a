"""What an hour of this machine costs: as typed in, else as Vast tells, else as set at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import preferences
from app.vast import MeterPreferences

if TYPE_CHECKING:
    from app.platform import Platform


def price_per_hour(platform: Platform) -> float | None:
    """The price of an hour; None where nobody knows. Needs an application context."""
    typed = preferences.load(MeterPreferences).price
    if typed:
        return typed
    instance = platform.vast.instance
    if instance is not None and instance.price:
        return instance.price
    return platform.settings.price_per_hour


def source_of_price(platform: Platform) -> str:
    """Where ``price_per_hour`` is from, for people; empty where there is none."""
    if preferences.load(MeterPreferences).price:
        return "typed in below"
    if platform.vast.instance is not None and platform.vast.instance.price:
        return "told by Vast"
    return "from PRICE_PER_HOUR" if platform.settings.price_per_hour else ""

"""What Vast tells about the instance we run on. Every field may be missing, so each may be None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Instance:
    """Prices in dollars an hour, times in epoch seconds, the disk in GB."""

    status: str = ""
    price: float | None = None
    storage_price: float | None = None
    """What the disk alone costs an hour: the bill of a stopped instance."""
    interruptible: bool = False
    started: float | None = None
    ends: float | None = None
    credit: float | None = None
    disk_gb: float | None = None
    upload_price: float | None = None
    download_price: float | None = None
    """Dollars per GB."""
    address: str = ""
    place: str = ""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Instance:
        """Read what is there and makes sense; the rest stays None."""
        return cls(
            status=_text(record.get("actual_status")),
            price=_amount(record.get("dph_total")),
            storage_price=_amount(record.get("storage_total_cost")),
            interruptible=record.get("is_bid") is True,
            started=_amount(record.get("start_date")),
            ends=_amount(record.get("end_date")),
            credit=_number(record.get("credit_balance")),
            disk_gb=_amount(record.get("disk_space")),
            upload_price=_amount(record.get("inet_up_cost")),
            download_price=_amount(record.get("inet_down_cost")),
            address=_text(record.get("public_ipaddr")),
            place=_text(record.get("geolocation")),
        )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _amount(value: Any) -> float | None:
    found = _number(value)
    return found if found is not None and found >= 0 else None


def _text(value: Any) -> str:
    return value.strip()[:100] if isinstance(value, str) and value.isprintable() else ""

"""Reads TensorBoard event records, without TensorBoard.

A record is a little-endian uint64 length, a crc, the data, a crc; the data is a protobuf Event:
field 1 double wall time, field 2 varint step, field 5 Summary, whose repeated field 1 is a Value
with field 1 tag and field 2 float.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MEANING: Mapping[str, str] = {
    "loss/current": "loss",
    "lr/unet": "learning_rate",
    "lr/d*lr/unet": "learning_rate",
    "lr/group0": "learning_rate",
    "lr/group1": "learning_rate",
    "lr/textencoder": "learning_rate",
}
"""Which tag is which of our curves; the first one of a step wins, but for those of ``BEST``."""
BEST = frozenset({"lr/unet", "lr/d*lr/unet"})
"""The rate of what is mainly trained, and the one that an optimizer like Prodigy found; the last
one of a step wins."""

LEFT_OUT = frozenset({"loss/average", "loss/epoch_average"})
"""Means of losses that are kept one by one: a chart smooths by itself."""


@dataclass(frozen=True)
class Reading:
    """One scalar: ``step`` as the engine counts in this attempt, ``time`` in epoch seconds."""

    step: int
    time: float
    tag: str
    value: float


def read_events(data: bytes) -> tuple[list[Reading], int]:
    """Every whole record at the start of ``data``, and how many bytes they took.

    The last record may be incomplete while the job runs; it is left for the next call.
    """
    readings: list[Reading] = []
    at = 0
    while len(data) - at >= 12:
        (length,) = struct.unpack_from("<Q", data, at)
        end = at + 12 + length + 4
        if end > len(data):
            break
        readings += _event(data[at + 12 : at + 12 + length])
        at = end
    return readings, at


def _event(data: bytes) -> Iterator[Reading]:
    fields = list(_fields(data))
    time = next((v for n, v in fields if n == 1), 0.0)
    step = next((v for n, v in fields if n == 2), 0)
    for number, summary in fields:
        if number != 5:
            continue
        for inner, value in _fields(summary):
            if inner == 1:
                parts = dict(_fields(value))
                if 1 in parts and isinstance(parts.get(2), float):
                    yield Reading(step, time, parts[1].decode("utf-8", "replace"), parts[2])


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of a protobuf message: int, float or bytes by its wire type."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == 1:
            yield key >> 3, struct.unpack_from("<d", data, at)[0]
            at += 8
        elif kind == 5:
            yield key >> 3, struct.unpack_from("<f", data, at)[0]
            at += 4
        elif kind == 2:
            length, at = _varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length
        else:
            return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

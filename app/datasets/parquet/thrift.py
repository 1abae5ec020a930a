"""Thrift's compact protocol, in which parquet writes its headers: structs as fields by their number."""

from __future__ import annotations

import struct
from typing import Any

from app.datasets.parquet.errors import TornError

_DEEPEST = 24


class Reader:
    """Reads one value after the other; ``at`` is where the next begins."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields that are set."""
        if depth > _DEEPEST:
            raise TornError("its header is nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            number = number + step if step else self._zigzag()
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):  # within a list
            return self._byte() == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return struct.unpack("<d", self._take(8))[0]
        if kind == 8:
            return self._take(self._varint())
        if kind in (9, 10):
            head = self._byte()
            count = head >> 4 if head >> 4 != 15 else self._varint()
            return [self._value(head & 15, depth + 1) for _ in range(self._counted(count))]
        if kind == 12:
            return self.struct(depth + 1)
        raise TornError(f"its header holds a value of kind {kind}")

    def _counted(self, count: int) -> int:
        """Nothing takes less than a byte: a larger count would only fill the memory."""
        if count > len(self._data) - self.at:
            raise TornError("its header ends too early")
        return count

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise TornError("its header ends too early")
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, size: int) -> bytes:
        begin = self.at
        self.at += self._counted(size)
        return self._data[begin : self.at]

    def _varint(self) -> int:
        found = shift = 0
        while shift < 64:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
        raise TornError("a number in its header has no end")

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

"""What can be wrong with a parquet file."""

from __future__ import annotations


class TornError(Exception):
    """It is cut, spoiled, or no parquet file at all."""


class UnsupportedError(Exception):
    """It is sound, and written in a way that is not read here; says which."""

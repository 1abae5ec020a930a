"""Reads columns of texts and bytes out of parquet files: what the Hub keeps pictures with captions in.

Of the format that much is read which libraries write for such tables: plain and dictionary pages, as
they are or packed with snappy, gzip or zlib; no lists. A library for all of it weighs 150 MB installed.
"""

from app.datasets.parquet.errors import TornError, UnsupportedError
from app.datasets.parquet.table import MAGIC, Column, Table

__all__ = ["MAGIC", "Column", "Table", "TornError", "UnsupportedError"]

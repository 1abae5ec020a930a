"""Parquet tables of pictures, as the package datasets writes them."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

PICTURES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(**columns: list[Any]) -> bytes:
    """A parquet file of two rows a group; columns called image are of the Hub's kind."""
    kinds = {name: PICTURES for name in columns if name.endswith("image")}
    arrays = {name: pa.array(rows, kinds.get(name)) for name, rows in columns.items()}
    file = io.BytesIO()
    pq.write_table(pa.table(arrays), file, row_group_size=2)
    return file.getvalue()

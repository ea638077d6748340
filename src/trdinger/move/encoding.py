"""Arrow rows as PostgreSQL's binary COPY."""

from __future__ import annotations

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from trdinger.declaration import Series


def encode(series: Series, rows: pa.Table, segment: tuple[str, ...]) -> tuple[tuple[str, ...], bytearray]:
    """The columns and the bytes of one COPY for rows of one series; the segment's values join every row."""
    names = (*series.segment_by, *rows.column_names)
    constant = [pa.repeat(pa.scalar(value, pa.string()), rows.num_rows) for value in segment]
    table = pa.Table.from_arrays([*constant, *rows.columns], names=list(names))
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    buffer = bytearray(encoder.write_header())
    for batch in table.to_batches():
        buffer += encoder.write_batch(batch)
    buffer += encoder.finish()
    return names, buffer

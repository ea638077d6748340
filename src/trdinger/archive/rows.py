"""Rows of a partition as the bytes of a Parquet file and back, and whether two such are the same.

Parquet with zstd, rows by time, times as UTC microseconds, a checksum on each page. The columns are the
table's without those that the path tells, which are in the file's metadata, too.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from trdinger.archive.layout import Partition
from trdinger.declaration import Series
from trdinger.errors import ArchiveError
from trdinger.schema.shape import shape


def columns(series: Series) -> tuple[str, ...]:
    """What a file has of a table: all but what names the series."""
    return tuple(name for name in shape(series.table).column_names if name not in series.segment_by)


def arrow(series: Series) -> pa.Schema:
    """The schema of a file of this table."""
    return shape(series.table).arrow(columns(series))


def packed(partition: Partition, rows: pa.Table) -> bytes:
    """The file of these rows."""
    names = {
        "table": partition.table,
        **dict(zip(partition.series.segment_by, partition.segment, strict=True)),
    }
    told = {f"trdinger.{name}": value for name, value in names.items()}
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(
        rows.replace_schema_metadata(told), sink, compression="zstd", version="2.6", write_page_checksum=True
    )
    written: bytes = sink.getvalue().to_pybytes()
    return written


def unpacked(partition: Partition, data: bytes, name: str) -> pa.Table:
    """The rows of a file. Raises ArchiveError where it is none of this partition."""
    try:
        table = pyarrow.parquet.read_table(
            pa.BufferReader(data), page_checksum_verification=True, use_threads=False
        )
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(f"{name} is no Parquet file: {str(error).splitlines()[0].rstrip('.')}.") from None
    schema = arrow(partition.series)
    if not table.schema.equals(schema):
        raise ArchiveError(f"{name} has other columns than {partition.table} has.")
    return table.replace_schema_metadata(None).combine_chunks()


def named(partition: Partition, rows: pa.Table) -> pa.Table:
    """Rows with all columns of their table."""
    for name, value in zip(partition.series.segment_by, partition.segment, strict=True):
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), rows.num_rows))
    return rows.select(list(shape(partition.table).column_names))


def joined(series: Series, old: pa.Table, new: pa.Table) -> pa.Table:
    """Both, by time; of a time that both have the row of `new`. Of one series."""
    if not old.num_rows:
        return new
    kept = old.filter(pc.invert(pc.is_in(old.column(series.time), value_set=new.column(series.time))))
    if not kept.num_rows:
        return new
    return pa.concat_tables([kept, new]).sort_by(series.time).combine_chunks()


def digest(rows: pa.Table) -> str:
    """A SHA-256 of every value, bit by bit: NaN is itself, and -0.0 is not 0.0."""
    sha = hashlib.sha256()
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        sha.update(f"{name}:{rows.num_rows};".encode())
        whole = column.combine_chunks()
        sha.update(np.packbits(whole.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        sha.update(_bits(whole))
    return sha.hexdigest()


def _bits(column: pa.Array) -> bytes:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    filled: bytes = column.fill_null(0).to_numpy(zero_copy_only=False).tobytes()
    return filled

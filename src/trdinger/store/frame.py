"""An answer: an Arrow table that becomes a DataFrame on request, and where its rows come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from trdinger.errors import UsageError
from trdinger.series.bars import TIME

_TIME = "timestamp"


@dataclass(frozen=True)
class Frame:
    """Rows in columns. `arrow` is the table itself; polars, DuckDB and pandas take the frame as it is, too.

    metadata["source"]: "stored"; or "aggregate" (kept by the server) or "derived" (made now), with
    metadata["from"], the timeframe that it was made of.
    """

    arrow: pa.Table
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.arrow.__arrow_c_stream__(requested_schema)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.arrow.column_names)

    def to_pandas(self) -> Any:
        """A pandas DataFrame with the timestamps (UTC) as its index. Raises UsageError without pandas."""
        try:
            import pandas as pd  # noqa: PLC0415  # who does not ask for it need not have it
        except ImportError:
            raise UsageError("pandas is not installed.", hint="pip install pandas") from None
        if _TIME not in self.columns:
            return self.arrow.to_pandas()
        if not self._numbers:
            return self.arrow.to_pandas().set_index(_TIME)
        # Each value is copied once, into the one block that pandas keeps: a third of the time of its own way.
        names = [name for name in self.columns if name != _TIME]
        block = np.empty((len(names), len(self)))
        for at, name in enumerate(names):
            _copy(self.arrow.column(name), block[at])
        times = np.empty(len(self), np.int64)
        _copy(self.arrow.column(_TIME), times)
        index = pd.DatetimeIndex(times.view("datetime64[us]"), name=_TIME).tz_localize("UTC")
        return pd.DataFrame(block.T, index=index, columns=names, copy=False)

    @property
    def _numbers(self) -> bool:
        """Whether the timestamps are UTC and all else is numbers that are there."""
        return all(
            column.type == (TIME if name == _TIME else pa.float64()) and not column.null_count
            for name, column in zip(self.columns, self.arrow.columns, strict=True)
        )

    def to_polars(self) -> Any:
        """A polars DataFrame, without a copy where that can be. Raises UsageError without polars."""
        try:
            import polars as pl  # noqa: PLC0415  # who does not ask for it need not have it
        except ImportError:
            raise UsageError("polars is not installed.", hint="pip install polars") from None
        return pl.from_arrow(self.arrow)


def _copy(column: pa.ChunkedArray, to: np.ndarray[Any, Any]) -> None:
    at = 0
    for chunk in column.chunks:
        values = chunk.view(pa.int64()) if pa.types.is_timestamp(chunk.type) else chunk
        to[at : at + len(chunk)] = values.to_numpy()
        at += len(chunk)

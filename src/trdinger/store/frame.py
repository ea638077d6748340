"""An answer: an Arrow table that becomes a DataFrame on request, and where its rows come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from trdinger.errors import UsageError


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
            frame = self.arrow.to_pandas()
        except ImportError:
            raise UsageError("pandas is not installed.", hint="pip install pandas") from None
        return frame.set_index("timestamp") if "timestamp" in frame.columns else frame

    def to_polars(self) -> Any:
        """A polars DataFrame, without a copy where that can be. Raises UsageError without polars."""
        try:
            import polars as pl  # noqa: PLC0415  # who does not ask for it need not have it
        except ImportError:
            raise UsageError("polars is not installed.", hint="pip install polars") from None
        return pl.from_arrow(self.arrow)

"""Which of the rows that share a key stays. By rowid, which is the id: the first, as the existing
application keeps it, or the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from trdinger.legacy.judging import Row
from trdinger.legacy.values import Value

_Int64 = np.ndarray[Any, np.dtype[np.int64]]


def of_series(
    moments: _Int64, rows: _Int64, stays: Literal["first", "last"]
) -> Iterator[tuple[int, int, int]]:
    """Of rows of one series by time and rowid: each that goes, as its time, itself and the row that stays."""
    order = np.lexsort((rows if stays == "first" else -rows, moments))
    moments, rows = moments[order], rows[order]
    for at in np.flatnonzero(np.diff(moments) == 0) + 1:
        yield int(moments[at]), int(rows[at]), int(rows[np.searchsorted(moments, moments[at])])


class Keys:
    """The keys of a small table, row by row in the order of their rowids. A null in a key repeats nothing."""

    def __init__(self, keys: int, stays: Literal["first", "last"]) -> None:
        self._held: list[dict[tuple[Value, ...], Row]] = [{} for _ in range(keys)]
        self._of: dict[Row, Sequence[tuple[Value, ...]]] = {}
        self._stays = stays

    def add(self, row: Row, keys: Sequence[tuple[Value, ...]]) -> list[tuple[Row, int, Row]]:
        """Enter a row with its value of each key: the rows that go, with the key and the row that stays."""
        taken = {
            at: self._held[at][key]
            for at, key in enumerate(keys)
            if None not in key and key in self._held[at]
        }
        if taken and self._stays == "first":
            at, holder = next(iter(taken.items()))
            return [(row, at, holder)]
        gone = [(holder, at, row) for at, holder in taken.items()]
        for holder in set(taken.values()):
            for at, key in enumerate(self._of.pop(holder)):
                if self._held[at].get(key) == holder:
                    del self._held[at][key]
        self._of[row] = keys
        for at, key in enumerate(keys):
            if None not in key:
                self._held[at][key] = row
        return gone

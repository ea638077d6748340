"""Where rows lie in an archive: TABLE/symbol=…/timeframe=…/month=YYYY-MM/NUMBER.parquet, as Hive has it.

A partition is the rows of one series whose time is in one month of UTC; it has one file at a time. Values
in a path are percent-encoded, so that any symbol is the name of a folder: BTC/USDT:USDT is BTC%2FUSDT%3AUSDT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trdinger import declaration
from trdinger.declaration import Series

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, order=True)
class Partition:
    """The rows of one series in one month ("2024-01")."""

    table: str
    segment: tuple[str, ...]
    month: str

    @property
    def series(self) -> Series:
        return declaration.series(self.table)

    @property
    def folder(self) -> str:
        """Its folder in the archive."""
        names = zip(self.series.segment_by, self.segment, strict=True)
        return "/".join(
            [self.table, *(f"{name}={encoded(value)}" for name, value in names), f"month={self.month}"]
        )

    def __str__(self) -> str:
        return f"{self.table} of {' '.join(self.segment)} in {self.month}"


def encoded(value: str) -> str:
    """A value as a part of a path: what is neither plain nor a letter of some script is percent-encoded."""
    return "".join(
        letter
        if _PLAIN.fullmatch(letter) or (not letter.isascii() and letter.isprintable())
        else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in value
    )


def is_month(text: str) -> bool:
    """Whether a text is a month as partitions are named by."""
    return _MONTH.fullmatch(text) is not None

"""Rows that the check read are copied as they were read; without them the file is read again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from trdinger.legacy.reading import Span
from trdinger.move import spool as room
from trdinger.move.spool import Spool

ONE, TWO = Span(("BTC/USDT:USDT", "1m"), None, "2024"), Span(("BTC/USDT:USDT", "1m"), "2024", None)
ROWS = pa.table({"id": [1, 2, 3], "close": [1.5, None, float("inf")]})


def test_each_span_comes_back_as_it_was_kept_and_leaves_no_file(tmp_path: Path) -> None:
    kept = Spool(tmp_path, 10)
    kept.keep("ohlcv_data", ONE, ROWS)
    kept.keep("ohlcv_data", TWO, ROWS.slice(0, 0))
    kept.keep("open_interest_data", ONE, pa.concat_tables([ROWS, ROWS]))
    assert list(tmp_path.iterdir()) == []  # nameless: gone with the process
    assert kept.rows("ohlcv_data", ONE) == ROWS
    assert kept.rows("ohlcv_data", TWO) == ROWS.slice(0, 0)
    assert kept.rows("open_interest_data", ONE) == pa.concat_tables([ROWS, ROWS])
    assert kept.rows("funding_rate_data", ONE) is None
    kept.close()
    assert kept.rows("ohlcv_data", ONE) is None
    kept.keep("ohlcv_data", ONE, ROWS)
    assert kept.rows("ohlcv_data", ONE) is None


def test_a_disk_without_room_or_a_folder_that_is_gone_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (Spool(tmp_path / "gone", 10), Spool(tmp_path, 1 << 60)):
        kept.keep("ohlcv_data", ONE, ROWS)
        assert kept.rows("ohlcv_data", ONE) is None
    with Path("/dev/full").open("wb", buffering=0) as full_disk:
        monkeypatch.setattr(room.tempfile, "TemporaryFile", lambda **_: full_disk)
        full = Spool(tmp_path, 10)
        full.keep("ohlcv_data", ONE, ROWS)
        assert full.rows("ohlcv_data", ONE) is None

"""`trdinger cache`: what is kept, and away with it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cli.command import fields, here
from cli.test_json import answered, documented
from trdinger.cache.files import Files, Kept


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one month in it, which the settings name."""
    folder = tmp_path / "months"
    monkeypatch.setenv("TRDINGER_CACHE_DIRECTORY", str(folder))
    monkeypatch.setenv("TRDINGER_CACHE_MEGABYTES", "1")
    series = {"database": "db", "table": "ohlcv_data", "symbol": "BTC/USDT:USDT", "timeframe": "1m"}
    Files(folder, 1 << 20).keep("one", "2024-03", Kept({"series": series}, pa.table({"close": [1.0]})))
    return folder


def test_what_is_kept_is_told_in_json_and_in_words(kept: Path) -> None:
    told = answered(here("cache", "status", "--json"))
    assert fields(told) == documented("cache status")
    assert (told["directory"], told["limit"], told["files"]) == (str(kept), 1 << 20, 1)
    said = here("cache", "status").out
    assert "1 file in" in said
    assert "ohlcv_data BTC/USDT:USDT 1m: 1 file" in said


def test_it_is_cleared(kept: Path) -> None:
    assert answered(here("cache", "clear", "--json"))["files"] == 1
    assert not list(kept.glob("*/*"))
    assert "0 files removed" in here("cache", "clear").out

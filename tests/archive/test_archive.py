"""What goes into an archive is there, bit by bit, for us and for other programs; what is not, is told."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from archive.making import SYMBOLS, bits, filled, rows, write
from trdinger.archive.archive import Archive, Verified
from trdinger.archive.layout import Partition
from trdinger.archive.manifest import NAME
from trdinger.archive.place import Place, place
from trdinger.archive.writing import Writing
from trdinger.declaration import FUNDING_RATE, OHLCV
from trdinger.errors import ArchiveError, UsageError

JANUARY = Partition(OHLCV.table, ("BTC/USDT:USDT", "1h"), "2024-01")


@pytest.fixture(params=["folder", "fsspec"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return place(str(tmp_path / "archive"))
    pytest.importorskip("fsspec")
    return place(f"memory://{tmp_path}/archive")


def found(archive: Archive) -> Verified:
    *_, last = archive.verify()
    assert isinstance(last, Verified)
    return last


def test_every_value_comes_back_from_a_folder_and_from_anywhere(at: Place) -> None:
    made = filled(at)
    archive = Archive(at)
    assert found(archive) == Verified(15, sum(t.num_rows for t in made.values()), found(archive).bytes)
    for symbol in SYMBOLS:
        expected = [
            (*row[:1], symbol, "1h", *row[1:])
            for month in ("2024-01", "2024-02")
            for row in bits(made[Partition(OHLCV.table, (symbol, "1h"), month)])
        ]
        assert bits(archive.rows(OHLCV, (symbol, "1h"))) == expected, symbol
    held = {one.segment[0]: one for one in archive.held(OHLCV)}
    assert set(held) == set(SYMBOLS)
    assert (held["1000"].files, held["1000"].rows) == (2, 14)
    assert held["1000"].first_moment.isoformat() == "2024-01-01T00:00:00+00:00"
    assert archive.held(FUNDING_RATE)[0].rows == 7
    january, february = 1_704_067_200_000_000, 1_706_745_600_000_000
    hour = 3_600_000_000
    within = archive.rows(OHLCV, ("1000", "1h"), january + hour, february + hour)
    assert within.num_rows == 6 + 1
    assert archive.rows(OHLCV, ("nothing", "1h")).num_rows == 0


def test_duckdb_and_polars_read_it_as_it_is(tmp_path: Path) -> None:
    duckdb, pl = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    made = filled(place(str(tmp_path / "archive")))
    folder = tmp_path / "archive" / OHLCV.table
    expected = sorted(
        (one.segment[0], "1h", one.month, row[1], struct.unpack("<d", row[2])[0])
        for one, table in made.items()
        if one.table == OHLCV.table and one.segment[0]  # Hive has no name for an empty value
        for row in bits(table)
    )
    columns = "symbol, timeframe, month, timestamp, open"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        theirs = connection.execute(
            f"SELECT {columns} FROM read_parquet('{folder}/*/*/*/*.parquet', hive_partitioning = true)"
            " WHERE symbol <> ''"
        ).fetchall()
    assert len(theirs) == len(expected)
    for ours, other in zip(expected, sorted(theirs), strict=True):
        assert ours[:3] == other[:3]
        assert ours[3] == other[3]
        assert ours[4] == other[4] or (math.isnan(ours[4]) and math.isnan(other[4]))
    frame = pl.read_parquet(folder, hive_partitioning=True).filter(pl.col("symbol") != "")
    told = sorted(frame.select(columns.split(", ")).rows())
    assert [row[:4] for row in told] == [row[:4] for row in expected]
    funding = tmp_path / "archive" / FUNDING_RATE.table
    assert pl.read_parquet(funding)["mark_price"].null_count() == 1


def test_a_month_that_comes_in_two_chunks_is_one_file_and_the_later_value_holds(at: Place) -> None:
    first, second = rows(OHLCV, "2024-01", 10), rows(OHLCV, "2024-01", 20, shift=1.0).slice(5)
    write(at, {JANUARY: first})
    write(at, {JANUARY: second})
    archive = Archive(at)
    expected = bits(first.slice(0, 5)) + bits(second)
    assert bits(archive.rows(OHLCV, JANUARY.segment).drop(["symbol", "timeframe"])) == expected
    assert at.names() == {NAME, f"{JANUARY.folder}/2.parquet"}
    write(at, {JANUARY: second})
    assert at.names() == {NAME, f"{JANUARY.folder}/2.parquet"}, "what is there is not written again"


@pytest.mark.parametrize("dropped", [True, False])
def test_what_a_stopped_process_left_open_is_settled_by_what_the_database_says(
    at: Place, *, dropped: bool
) -> None:
    before, after = rows(OHLCV, "2024-01", 10), rows(OHLCV, "2024-01", 20, shift=1.0)
    write(at, {JANUARY: before})
    with Writing(at, "here") as writing:
        writing.put(JANUARY, after)
        writing.publish("one", "chunk")
    with Writing(at, "elsewhere") as other:
        assert Archive(at).manifest().open
        other.settle(lambda token, relation: pytest.fail("another database's is not asked about"))
        assert bits(Archive(at).rows(OHLCV, JANUARY.segment).select(["open"])) == bits(after.select(["open"]))
    write(at, {JANUARY: before})
    with Writing(at, "here") as writing:
        writing.put(JANUARY, rows(OHLCV, "2024-01", 25))
        writing.publish("two", "chunk")
    with Writing(at, "here") as again:
        again.settle(lambda token, relation: dropped and (token, relation) == ("two", "chunk"))
    assert Archive(at).rows(OHLCV, JANUARY.segment).num_rows == (25 if dropped else 20)
    assert len(at.names()) == 2
    assert not found(Archive(at)).wrong


def test_whatever_is_changed_in_it_is_found(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    filled(place(str(root)))
    archive = Archive(place(str(root)))
    one, two = sorted(root.rglob("symbol=1000/**/*.parquet"))
    data = bytearray(one.read_bytes())
    data[len(data) // 2] ^= 1
    one.write_bytes(data)
    name = one.relative_to(root)
    (sentence,) = found(archive).wrong
    assert sentence == f"{name} of the archive {root} was changed: its SHA-256 is another."
    with pytest.raises(ArchiveError, match="was changed") as refused:
        archive.rows(OHLCV, ("1000", "1h"))
    assert refused.value.exit_code == 8
    assert archive.rows(OHLCV, ("1000", "1h"), 1_706_745_600_000_000).num_rows == 7, "the other file is whole"
    one.unlink()
    two.rename(two.with_name("9.parquet"))
    gone, moved, extra = found(archive).wrong
    assert gone == f"{name} of the archive {root} is gone, which its manifest tells of."
    assert "2024-02/1.parquet" in moved
    assert (
        extra
        == f"{two.with_name('9.parquet').relative_to(root)} of the archive {root} is not in its manifest."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"version": 1', '"version": 2'), "is of version 2; this trdinger knows 1"),
        (lambda text: text.replace('"rows": 5', '"rows": 4', 1), "was changed: its checksum is another"),
        (lambda text: text.replace("archive", "export", 1), "manifest.json of another program"),
        (lambda text: text[:-40], "is damaged: it is no JSON"),
        (lambda text: "[]", "is damaged"),
    ],
)
def test_a_manifest_that_is_not_its_own_is_refused(
    change: Callable[[str], str], said: str, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    filled(place(str(root)))
    path = root / NAME
    path.write_text(change(path.read_text()))
    with pytest.raises(ArchiveError, match=said):
        found(Archive(place(str(root))))
    with pytest.raises(ArchiveError, match=said), Writing(place(str(root)), "here"):
        pass


def test_an_archive_that_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is gone, or there never was one") as gone:
        Archive(place(str(tmp_path / "nowhere"))).rows(OHLCV, ("1000", "1h"))
    assert "mounted" in str(gone.value)
    filled(place(str(tmp_path / "archive")))
    (tmp_path / "archive" / NAME).unlink()
    with pytest.raises(ArchiveError, match=r"holds no manifest\.json"):
        found(Archive(place(str(tmp_path / "archive"))))
    with pytest.raises(ArchiveError, match="cannot be written"), Writing(place("/proc/1/nothing"), "here"):
        pass


def test_a_path_of_a_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    filled(place(str(root)))
    told = json.loads((root / NAME).read_text())
    assert told["files"][0]["path"].endswith(".parquet")
    for wrong in ("../../etc/passwd.parquet", "/etc/a.parquet", "a/../b.parquet", "a\\b/c.parquet"):
        text = (
            (root / NAME)
            .read_text()
            .replace(json.dumps(told["files"][0]["path"], ensure_ascii=False)[1:-1], wrong)
        )
        with pytest.raises(ArchiveError):
            _read_unchecked(root, text)


def test_a_full_folder_keeps_what_it_had(full_disk: Callable[..., Path]) -> None:
    root = full_disk(1 << 20)
    write(place(str(root)), {JANUARY: rows(OHLCV, "2024-01", 10)})
    many = pa.concat_tables([rows(OHLCV, f"2024-{month:02}", 600) for month in range(1, 13)])
    (root / "filler").write_bytes(bytes((1 << 20) - (1 << 16)))
    with Writing(place(str(root)), "here") as writing:
        with pytest.raises(ArchiveError, match=r"is full\. Nothing was dropped"):
            _put_all(writing, many)
        writing.forget()
    (root / "filler").unlink()
    assert found(Archive(place(str(root)))).rows == 10
    assert not found(Archive(place(str(root)))).wrong


def test_two_do_not_write_at_once(tmp_path: Path) -> None:
    root = str(tmp_path / "archive")
    with (
        Writing(place(root), "here"),
        pytest.raises(ArchiveError, match="Another process writes"),
        Writing(place(root), "here"),
    ):
        pass
    with Writing(place(f"memory://{root}"), "here") as writing:
        write(place(f"memory://{root}"), {JANUARY: rows(OHLCV, "2024-01")})
        with pytest.raises(ArchiveError, match="changed by another process"):
            writing.publish("token", "chunk")


def test_an_address_shows_no_secret_and_an_unknown_one_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing://bucket/x cannot be reached") as refused:
        place("nothing://user:secret@bucket/x")
    assert "secret" not in str(refused.value)


def _put_all(writing: Writing, many: pa.Table) -> None:
    for month in range(1, 13):
        part = Partition(OHLCV.table, ("a", "1h"), f"2024-{month:02}")
        writing.put(part, many.slice((month - 1) * 600, 600))


def _read_unchecked(root: Path, text: str) -> None:
    """Read a manifest as one who knows how its checksum is made would have changed it."""
    told = json.loads(text)
    told.pop("checksum")
    body = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
    (root / NAME).write_text(json.dumps(told | {"checksum": hashlib.sha256(body).hexdigest()}))
    Archive(place(str(root))).manifest()

"""Opening a file: what cannot be opened is said in a sentence, and no reader changes a byte."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from legacy.conftest import File
from trdinger.errors import SourceError
from trdinger.legacy import source as room
from trdinger.legacy.backup import back_up
from trdinger.legacy.check import check
from trdinger.legacy.integrity import integrity
from trdinger.legacy.reading import Span, series_reader
from trdinger.legacy.source import Source, Text, quoted
from trdinger.legacy.survey import survey

ROOT = os.geteuid() == 0


@contextmanager
def says(*parts: str) -> Iterator[None]:
    """A SourceError whose sentence holds each of these, begins as one, and says what to do next."""
    with pytest.raises(SourceError) as refused:
        yield
    for part in parts:
        assert part in str(refused.value)
    assert refused.value.message.endswith(".")
    assert refused.value.hint
    assert refused.value.__cause__ is None


def complains(source: Source) -> bool:
    """Whether SQLite finds damage: it lists it, or with some pages gives up."""
    try:
        return bool(integrity(source))
    except SourceError as error:
        return "is damaged" in error.message


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with says(f"There is no file {tmp_path / 'none.db'}"):
        Source(tmp_path / "none.db").check()
    (tmp_path / "file").write_bytes(b"x")
    with says("There is no file"):
        Source(tmp_path / "file" / "below.db").check()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with says("is a folder", "Name the SQLite file in it"):
        Source(tmp_path).check()


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.db")
    with says("is no ordinary file"):
        Source(tmp_path / "pipe.db").check()


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with says("is empty (0 bytes)"):
        Source(tmp_path / "empty.db").check()


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(500), b"SQLite format 3", b"\x00" * 4096])
def test_another_file_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    with says("is not a SQLite database (or is encrypted)"):
        Source(path).check()


def test_a_database_without_tables_holds_none_of_ours(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "bare.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
    with says("holds no table at all"):
        survey(Source(tmp_path / "bare.db"))


@pytest.mark.skipif(ROOT, reason="root may read every file, so no permission can be taken away")
def test_a_file_that_may_not_be_read_is_said(file: File) -> None:
    file.path.chmod(0)
    with says("may not be read by this user", f"chmod u+r {file.path}"):
        file.source.check()


@pytest.mark.skipif(not ROOT, reason="only root can become another user who may not read")
def test_another_user_is_told_that_the_file_may_not_be_read(file: File, tmp_path: Path) -> None:
    below = tmp_path / "closed"
    below.mkdir(mode=0o700)
    inside = Path(shutil.copyfile(file.path, below / "it's closed.db"))
    tried = f"""
import os, sys
from pathlib import Path
from trdinger.errors import SourceError
from trdinger.legacy.source import Source
os.chdir({str(tmp_path)!r})
os.setuid(65534)
for path in ({inside.name!r}, os.path.join("closed", {inside.name!r})):
    try:
        Source(Path(path)).check()
    except SourceError as error:
        print(error)
"""
    closed = Path(shutil.copyfile(file.path, tmp_path / inside.name))
    closed.chmod(0o600)
    tmp_path.chmod(0o711)  # the folders above it are not asked: the paths are relative
    ended = subprocess.run(
        [sys.executable, "-c", tried], capture_output=True, text=True, timeout=60, check=False
    )
    first, second = ended.stdout.splitlines()
    assert "may not be read by this user" in first
    assert re.search(r"chmod u\+r 'it'\"'\"'s closed.db'$", first)
    assert "may not be read by this user" in second


@pytest.mark.parametrize("keep", [20, 99, 100, 4096, 100_000])
def test_a_truncated_file_is_said_to_be_cut_short(sample: File, keep: int) -> None:
    told = sample.path.stat().st_size if keep >= 100 else 100
    os.truncate(sample.path, keep)
    with says("is cut short", f"{told:,} bytes", f"the file has {keep:,}"):
        sample.source.check()


def test_a_file_in_the_middle_of_a_change_is_not_called_cut_short(sample: File) -> None:
    """The header may be ahead of the file while its journal or WAL holds the rest."""
    os.truncate(sample.path, 100_000)
    sample.path.with_name(f"{sample.path.name}-journal").write_bytes(bytes(512))
    sample.source.check()


def test_a_declaration_that_is_no_utf8_is_said_in_sqlites_words(file: File) -> None:
    data = file.path.read_bytes()
    assert b"ON ohlcv_data (symbol)" in data
    file.path.write_bytes(data.replace(b"ON ohlcv_data (symbol)", b"ON ohlcv_dat\xe4 (symbol)"))
    with says("is damaged: malformed database schema", "ohlcv_dat\ufffd", ".recover"):
        survey(file.source)


def test_a_damaged_page_is_said_by_every_reader(sample: File, tmp_path: Path) -> None:
    (root,) = sample.run("SELECT rootpage FROM sqlite_master WHERE name = 'ohlcv_data'")[0]
    with sample.path.open("rb+") as pages:
        pages.seek((root - 1) * 4096)
        pages.write(b"\xff" * 4096)
    sample.source.check()
    held = survey(sample.source)
    with says("is damaged", ".recover"):
        check(held)
    candles = held.tables[0]
    with says("is damaged"), series_reader(sample.source, candles.shape, candles.present) as reader:
        reader.read(Span(candles.series[0].segment), rows=10)
    assert complains(sample.source)
    assert back_up(sample.source, tmp_path / "copy").bytes == sample.path.stat().st_size


def test_a_sound_file_has_no_complaints_and_an_unsound_index_is_told(sample: File) -> None:
    assert integrity(sample.source) == []
    with closing(sqlite3.connect(sample.path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = on")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(symbol)', '(timeframe)')"
            " WHERE name = 'ix_ohlcv_data_symbol'"
        )
    complaints = integrity(sample.source)
    assert "missing from index ix_ohlcv_data_symbol" in complaints[0]
    assert complaints[-1].startswith("and ")
    assert len(complaints) == 21


def test_a_lock_is_waited_for_and_then_said(
    file: File,
    locked_source: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(room, "LOCK_WAIT", 0.2)
    release = locked_source(file.path)
    with says("is locked by a program that writes to it", "Stop that program"):
        survey(file.source)
    with says("is locked by a program that writes to it"):
        back_up(file.source, tmp_path / "copy")
    release()
    assert survey(file.source).rows == 0


def test_a_writer_that_has_not_written_yet_keeps_nobody_out(
    file: File, locked_source: Callable[..., Callable[[], None]]
) -> None:
    locked_source(file.path, "IMMEDIATE")
    assert survey(file.source).rows == 0


def test_what_lies_in_a_wal_is_read_and_counted(file: File) -> None:
    with closing(sqlite3.connect(file.path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("INSERT INTO ga_experiments (name, config, status, progress, current_generation)"
                       " VALUES ('in the WAL', '{}', 'running', 0.0, 0)")  # fmt: skip
        writer.commit()
        wal = file.path.with_name(f"{file.path.name}-wal")
        before = file.state(), wal.read_bytes()
        held = survey(file.source)
        assert held.rows == 1
        assert held.bytes == file.path.stat().st_size + wal.stat().st_size > file.path.stat().st_size
        assert check(held).rows["ga_experiments"] == 1
        link = file.path.with_name("link.db")
        link.symlink_to(file.path)
        assert survey(Source(link)).bytes == held.bytes
        assert (file.state(), wal.read_bytes()) == before


def test_a_change_that_was_cut_off_is_told_and_left_alone(sample: File, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    with closing(sqlite3.connect(sample.path)) as writer:
        writer.execute("PRAGMA cache_size = 5")
        writer.execute("UPDATE ohlcv_data SET volume = volume + 1")
        writer.execute(
            "INSERT INTO strategy_templates (name, config_json) VALUES ('x', printf('%.*c', 99999, '1'))"
        )
        for left in (sample.path.name, f"{sample.path.name}-journal"):
            shutil.copyfile(sample.path.with_name(left), cut / left)
        writer.rollback()
    file = File(cut / sample.path.name)
    before = file.state()
    with says("was cut off in the middle of a change", "-journal beside it", "Open it once"):
        survey(file.source)
    assert file.state() == before
    file.run("SELECT count(*) FROM ohlcv_data")  # sqlite3 takes the change back
    assert survey(file.source).rows == survey(sample.source).rows


@pytest.mark.parametrize(
    "name",
    [
        "a b.db",
        'it\'s "quoted".db',
        "what?.db",
        "#1.db",
        "100%.db",
        "%41.db",
        "a&b=c;d.db",
        "取引.db",
        "file:x.db",
    ],
)
def test_any_name_opens_the_file_of_that_name(file: File, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "it's a #100% folder?"
    folder.mkdir()
    named = File(Path(shutil.copyfile(file.path, folder / name)))
    named.candles({})
    held = survey(named.source)
    assert held.rows == 1
    assert check(held).rows["ohlcv_data"] == 1
    backup = back_up(named.source, folder / "copies")
    backup.verify()
    assert survey(backup.source).rows == 1


def test_a_name_that_is_no_text_opens_its_file(file: File, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.db"))
    try:
        shutil.copyfile(file.path, path)
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error.strerror}")
    File(path).candles({})
    backup = back_up(Source(path), tmp_path / "copies")
    assert check(survey(backup.source)).rows["ohlcv_data"] == 1


def test_no_reader_changes_a_byte(sample: File, tmp_path: Path) -> None:
    sample.path.chmod(0o444)
    before = sample.state()
    beside = sorted(sample.path.parent.iterdir())
    held = survey(sample.source)
    check(held)
    integrity(sample.source)
    with series_reader(sample.source, held.tables[0].shape, held.tables[0].present) as reader:
        for series in held.tables[0].series:
            reader.read(Span(series.segment), rows=series.rows)
    back_up(sample.source, tmp_path / "copies")
    assert sample.state() == before
    assert sorted(set(sample.path.parent.iterdir()) - {tmp_path / "copies"}) == beside


def test_a_connection_refuses_to_write(file: File) -> None:
    before = file.state()
    for source in (file.source, Source(file.path, immutable=True)):
        with says("readonly"), source.connect() as connection:
            connection.execute("DELETE FROM ohlcv_data")
        with says("readonly"), source.connect() as connection:
            connection.execute("CREATE TABLE t (a)")
    assert file.state() == before


def test_a_connection_tells_text_from_blob(file: File) -> None:
    with file.source.connect() as connection:
        text, blob = connection.execute("SELECT 'a', x'61'").fetchone()
    assert (type(text), type(blob)) == (Text, bytes)


def test_other_errors_of_sqlite_are_sentences_too(file: File) -> None:
    with (
        pytest.raises(SourceError, match="cannot be read: no such table: none"),
        file.source.connect() as one,
    ):
        one.execute("SELECT * FROM none")


def test_tables_come_with_every_column_and_without_housekeeping(file: File) -> None:
    file.run("CREATE TABLE alembic_version (version_num)")
    file.run('CREATE TABLE "it""s (odd)" (a INTEGER PRIMARY KEY AUTOINCREMENT, "b c", d AS (a + 1) STORED)')
    file.run('INSERT INTO "it""s (odd)" ("b c") VALUES (1)')  # makes sqlite_sequence
    file.run("ANALYZE")  # makes sqlite_stat1
    with file.source.connect() as connection:
        tables = file.source.tables(connection)
    assert len(tables) == 10
    assert tables['it"s (odd)'] == ("a", "b c", "d")
    assert tables["ohlcv_data"][:4] == ("id", "symbol", "timeframe", "timestamp")


def test_views_and_triggers_are_named(file: File) -> None:
    file.run("CREATE VIEW latest AS SELECT max(timestamp) FROM ohlcv_data")
    file.run("CREATE TRIGGER t AFTER INSERT ON ohlcv_data BEGIN SELECT 1; END")
    assert survey(file.source).others == ("trigger t", "view latest")


def test_a_quoted_name_is_one_identifier(file: File) -> None:
    name = 'a"b; DROP TABLE ohlcv_data; --'
    assert file.run(f"SELECT 1 AS {quoted(name)}") == [(1,)]
    assert quoted(name) == '"a""b; DROP TABLE ohlcv_data; --"'

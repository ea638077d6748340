"""Kept tables: whole or not there, their owner's alone, within their limit."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pyarrow as pa
import pytest

from trdinger.cache.files import SUFFIX, Files, Kept

TABLE = pa.table({"timestamp": [1, 2, 3], "close": [1.5, 2.5, 3.5]})


def kept(files: Files, name: str = "2024-01", rows: pa.Table = TABLE) -> Path:
    files.keep("a series", name, Kept({"series": {"symbol": "BTC"}, "of": name}, rows))
    (path,) = files.folder.glob(f"*/{name}{SUFFIX}")
    return path


def found(files: Files, name: str = "2024-01") -> pa.Table | None:
    return files.find("a series", name, lambda about: about["of"] == name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "months"


def test_a_table_is_found_by_any_process_and_is_its_owners_alone(folder: Path) -> None:
    path = kept(Files(folder, 1 << 20))
    assert found(Files(folder, 1 << 20)) == TABLE
    assert found(Files(folder, 1 << 20), "2024-02") is None
    assert Files(folder, 1 << 20).find("a series", "2024-01", lambda about: False) is None
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, path.parent, path)] == [0o700, 0o700, 0o600]


def test_a_newer_file_is_seen_when_the_open_one_does_not_fit(folder: Path) -> None:
    files = Files(folder, 1 << 20)
    kept(files)
    assert found(files) == TABLE
    kept(Files(folder, 1 << 20), rows=TABLE.slice(1))
    assert found(files) == TABLE
    fits = iter([False, True])
    assert files.find("a series", "2024-01", lambda about: next(fits)) == TABLE.slice(1)


def test_any_byte_that_changed_and_any_cut_is_noticed(folder: Path) -> None:
    files = Files(folder, 1 << 20)
    data = kept(files).read_bytes()
    for at in range(0, len(data), 7):
        path = kept(files)
        path.unlink()
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert found(Files(folder, 1 << 20)) is None, at
        assert not path.exists()
        path.write_bytes(data[:at])
        assert found(Files(folder, 1 << 20)) is None, at
        assert not path.exists()


def test_the_longest_unused_go_when_the_limit_is_reached(folder: Path) -> None:
    size = kept(Files(folder, 1 << 20)).stat().st_size
    files = Files(folder, size * 4)
    for n in range(1, 7):
        path = kept(files, f"2024-0{n}")
        os.utime(path, (n, n))
    os.utime(folder / path.parent / f"2024-01{SUFFIX}")  # used just now
    files.shrink()
    assert sorted(path.stem for path in folder.glob("*/*")) == ["2024-01", "2024-05", "2024-06"]
    files.keep("a series", "2024-07", Kept({}, pa.table({"a": range(10**5)})))
    assert not list(folder.glob("*/2024-07*"))  # larger than all that may be kept


def test_a_use_is_told_to_the_file(folder: Path) -> None:
    path = kept(Files(folder, 1 << 20))
    os.utime(path, (1, 1))
    assert found(Files(folder, 1 << 20)) is not None
    assert time.time() - path.stat().st_mtime < 60


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path) -> None:
    path = kept(Files(folder, 1 << 20))
    folder.chmod(0o777)
    files = Files(folder, 1 << 20)
    assert found(files) is None
    path.unlink()
    files.keep("a series", "2024-01", Kept({}, TABLE))
    assert not path.exists()


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = Files(tmp_path / "file" / "months", 1 << 20)
    files.keep("a series", "2024-01", Kept({}, TABLE))
    assert found(files) is None
    files.shrink()
    assert files.use().files == 0


def test_what_is_kept_is_told_and_cleared(folder: Path) -> None:
    files = Files(folder, 1 << 20)
    path = kept(files)
    kept(files, "2024-02")
    abandoned = path.with_name(".unfinished")
    abandoned.write_bytes(b"")
    os.utime(abandoned, (1, 1))
    use = files.use()
    assert (use.files, use.bytes) == (2, 2 * path.stat().st_size)
    assert use.series == [{"symbol": "BTC", "files": 2, "bytes": use.bytes}]
    assert files.clear() == use
    assert not list(folder.glob("*"))

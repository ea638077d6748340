"""The list of what an export wrote: of each file its table, columns, rows and SHA-256.

    {"trdinger": "export", "version": 1, "format": "parquet", "source": "…", "written": "…",
     "tables": [{"table", "file", "rows", "rows_left_out", "bytes", "sha256", "columns"}], "not_held": […]}

Whoever reads the files back holds them against it first.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trdinger
from trdinger.errors import SourceError, UsageError
from trdinger.export.formats import Format
from trdinger.legacy.backup import digest
from trdinger.schema.shape import TableShape

NAME = "manifest.json"
_VERSION = 1
_AGAIN = "Export again, or import the files one by one, each with --table."


@dataclass(frozen=True)
class File:
    """One table in one file."""

    table: str
    file: str
    rows: int
    rows_left_out: int
    bytes: int
    sha256: str
    columns: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Manifest:
    """What a folder holds. not_held: values for which the format has no form; their rows were left out."""

    form: Format
    source: str
    written: str
    files: tuple[File, ...]
    not_held: tuple[dict[str, Any], ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The manifest as it is written."""
        return {
            "trdinger": "export",
            "version": _VERSION,
            "program": trdinger.__version__,
            "format": str(self.form),
            "source": self.source,
            "written": self.written,
            "tables": [vars(one) | {"columns": list(one.columns)} for one in self.files],
            "not_held": list(self.not_held),
        }

    def write(self, folder: Path) -> None:
        """Write it into the folder, onto the disk."""
        with (folder / NAME).open("x", encoding="utf-8") as file:
            json.dump(self.as_json(), file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())


def columns(shape: TableShape) -> tuple[dict[str, Any], ...]:
    """The columns of a table for a manifest."""
    return tuple(
        {"name": column.name, "kind": column.kind, "nullable": column.nullable} for column in shape.columns
    )


def read(folder: Path) -> Manifest:
    """The manifest of a folder. Raises UsageError where there is none, SourceError where it is damaged."""
    path = folder / NAME
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no {NAME}, so it is no export.",
            hint="Name the folder of an export, or one file and its table with --table.",
        ) from None
    except (ValueError, OSError) as error:
        raise SourceError(f"{path} cannot be read: {error}.", hint=_AGAIN) from None
    try:
        if told["trdinger"] != "export" or told["version"] != _VERSION:
            raise SourceError(f"{path} is of another program or version.", hint=_AGAIN)
        files = tuple(
            File(
                str(one["table"]),
                _plain(str(one["file"])),
                int(one["rows"]),
                int(one["rows_left_out"]),
                int(one["bytes"]),
                str(one["sha256"]),
                tuple(one["columns"]),
            )
            for one in told["tables"]
        )
        return Manifest(
            Format(told["format"]), str(told["source"]), str(told["written"]), files, tuple(told["not_held"])
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SourceError(f"{path} is damaged.", hint=_AGAIN) from None


def check(folder: Path, file: File) -> None:
    """Raise SourceError unless a file of the folder is there as it was written."""
    path = folder / file.file
    try:
        found = digest(path)
    except FileNotFoundError:
        raise SourceError(f"{path} is gone, which {NAME} tells of.", hint=_AGAIN) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", hint=_AGAIN) from None
    if found != file.sha256:
        raise SourceError(f"{path} was changed since it was exported: its SHA-256 is another.", hint=_AGAIN)


def _plain(name: str) -> str:
    """The name of a file in the folder; no way out of it."""
    if name != Path(name).name or name in {"", ".", ".."}:
        raise ValueError(name)
    return name

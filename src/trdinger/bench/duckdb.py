"""DuckDB: its SQLite and PostgreSQL extensions, from the file into the hypertables, which are completed.

Not a part of the package: `pip install duckdb duckdb-extension-sqlite-scanner
duckdb-extension-postgres-scanner`, all of one version, brings it. Only the series are moved.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from trdinger.bench.clock import Clock
from trdinger.bench.hypertables import complete, prepare
from trdinger.declaration import SERIES
from trdinger.engine.connect import Database
from trdinger.schema.shape import shapes

_EXTENSIONS = ("sqlite_scanner", "postgres_scanner")
_INSTALL = "pip install duckdb duckdb-extension-sqlite-scanner duckdb-extension-postgres-scanner"


def absent() -> str | None:
    """Why it cannot run here; None when it can."""
    try:
        _connected().close()
    except ImportError as error:
        return f"{error.name or 'an extension'} is not installed ({_INSTALL}, all of one version)"
    except Exception as error:  # its own kinds are known to who has it alone
        return f"its extensions cannot be loaded: {str(error).splitlines()[0]}"
    return None


def version() -> str:
    """What runs."""
    return f"DuckDB {importlib.import_module('duckdb').__version__}"


def transfer(file: Path, database: Database, server: int | None) -> Clock:
    """Insert every row of the series, then complete. Raises TargetError."""
    database = prepare(database)
    compression = database.capabilities.has("compression")
    clock = Clock(server)
    clock.stage("Copy")
    connection = _connected()
    connection.execute(f"ATTACH '{_quoted(str(file))}' AS source (TYPE sqlite, READ_ONLY)")
    connection.execute(f"ATTACH '{_quoted(database.conninfo)}' AS target (TYPE postgres)")
    for shape in shapes():
        if shape.name in SERIES:
            columns = ", ".join(f'"{name}"' for name in shape.column_names)
            connection.execute(
                f"INSERT INTO target.{shape.name} ({columns}) SELECT {columns} FROM source.{shape.name}"
            )
    connection.close()
    clock.stage("Finish")
    with database.connect(autocommit=True) as target:
        complete(target, compression=compression)
    clock.end()
    return clock


def _connected() -> Any:
    connection = importlib.import_module("duckdb").connect()
    for name in _EXTENSIONS:
        module = importlib.import_module(f"duckdb_extension_{name}")
        (folder,) = module.__path__
        found = sorted(Path(folder).glob(f"extensions/*/{name}.duckdb_extension"))
        if not found:
            raise ImportError(f"{name} has no file for this system", name=f"duckdb_extension_{name}")
        connection.execute(f"LOAD '{_quoted(str(found[-1]))}'")
    return connection


def _quoted(text: str) -> str:
    return text.replace("'", "''")

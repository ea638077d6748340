"""SQL asked by a person or a program: one statement after the other, or at a prompt."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
from rich.console import Console
from sqlalchemy.engine import URL

from trdinger.engine.connect import Database
from trdinger.report import figures, layout
from trdinger.settings import environment

_SHOWN = 200  # rows of an answer that people are shown


@dataclass(frozen=True)
class Answer:
    """What a statement gave: its rows, or only the server's word for what was done."""

    status: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def as_json(self) -> dict[str, Any]:
        """The answer for programs; what JSON has no form for is text."""
        return {
            "status": self.status,
            "columns": list(self.columns),
            "rows": [[_plain(cell) for cell in row] for row in self.rows],
        }


def answers(database: Database, statements: list[str]) -> Iterator[Answer]:
    """The answer of each statement in turn, each committed by itself. Raises TargetError."""
    with database.connect(autocommit=True) as connection:
        for statement in statements:
            yield _ask(connection, statement)


def show_answers(found: Iterator[Answer], console: Console) -> None:
    """Print each answer as a table."""
    for answer in found:
        _show(answer, console)


def interactive(database: Database, console: Console) -> None:
    """Let a person ask until they have enough: in psql where it is installed, else at a small prompt."""
    program = shutil.which("psql")
    if program:
        url = database.url
        bare = URL.create(
            "postgresql", url.username, None, url.host, url.port, url.database, url.query
        )  # everybody on the machine can read a program's arguments
        secret = {"PGPASSWORD": str(url.password)} if url.password else {}
        subprocess.run([program, bare.render_as_string()], env=environment(**secret), check=False)
        return
    console.print("psql is not installed; this prompt runs SQL. End a statement with ; and leave with \\q")
    with database.connect(autocommit=True) as connection:
        for statement in _typed():
            try:
                _show(_ask(connection, statement), console)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                console.print(figures.clean(str(error).strip()), markup=False, style="red")


def _typed() -> Iterator[str]:
    """The statements that a person types; Ctrl-C forgets the one that was begun."""
    statement = ""
    while True:
        try:
            line = input("trdinger-> " if statement else "trdinger=> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            print()  # noqa: T201
            statement = ""
            continue
        if line.strip() in {"\\q", "exit", "quit"}:
            return
        statement += line + "\n" if statement or line.strip() else ""
        if statement.strip().endswith(";"):
            yield statement
            statement = ""


def _ask(connection: psycopg.Connection[Any], statement: str) -> Answer:
    cursor = connection.execute(statement.encode())
    names = tuple(column.name for column in cursor.description or ())
    return Answer(cursor.statusmessage or "", names, cursor.fetchall() if names else [])


def _show(answer: Answer, console: Console) -> None:
    if not answer.columns:
        console.print(answer.status or "done", markup=False)
        return
    heads = [
        f">{name}" if any(_is_number(row[at]) for row in answer.rows) else f"~{name}"
        for at, name in enumerate(answer.columns)
    ]
    table = layout.table(*heads)
    for row in islice(answer.rows, _SHOWN):
        layout.row(table, *("" if cell is None else str(cell) for cell in row))
    layout.show(console, table)
    held = len(answer.rows)
    first = f"the first {figures.count(_SHOWN)} of " if held > _SHOWN else ""
    console.print(f"({first}{figures.counted(held, 'row')})")


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)


def _plain(cell: object) -> object:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell

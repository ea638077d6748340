"""SQL asked by a person: psql where there is one, else a prompt that is enough to look around."""

from __future__ import annotations

import shutil
import subprocess

import psycopg
from rich.console import Console
from rich.table import Table

from trdinger.engine.connect import Database
from trdinger.settings import environment

_SHOWN = 200  # rows of an answer that are printed


def run_statements(database: Database, statements: list[str], console: Console) -> None:
    """Run each statement in turn and print its answer as a table. Raises TargetError."""
    with database.connect(autocommit=True) as connection:
        for statement in statements:
            _print(connection.execute(statement), console)


def interactive(database: Database, console: Console) -> None:
    """Let a person ask until they have enough."""
    program = shutil.which("psql")
    if program:
        url = database.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        secret = {"PGPASSWORD": str(database.url.password)} if database.url.password else {}
        subprocess.run([program, url], env=environment(**secret), check=False)
        return
    console.print("psql is not installed; this prompt runs SQL. End a statement with ; and leave with \\q")
    with database.connect(autocommit=True) as connection:
        statement = ""
        while True:
            try:
                line = input("trdinger=> " if not statement else "trdinger-> ")
            except EOFError:
                return
            if line.strip() in {"\\q", "exit", "quit"}:
                return
            statement += line + "\n"
            if statement.strip().endswith(";"):
                try:
                    _print(connection.execute(statement), console)
                except psycopg.Error as error:
                    console.print(str(error).strip(), markup=False, style="red")
                statement = ""


def _print(cursor: psycopg.Cursor[tuple[object, ...]], console: Console) -> None:
    if cursor.description is None:
        console.print(cursor.statusmessage or "done", markup=False)
        return
    table = Table(show_edge=False, pad_edge=False)
    rows = cursor.fetchmany(_SHOWN + 1)
    for at, column in enumerate(cursor.description):
        number = any(isinstance(row[at], int | float) and not isinstance(row[at], bool) for row in rows)
        table.add_column(column.name, justify="right" if number else "left", overflow="fold")
    for row in rows[:_SHOWN]:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)
    more = len(rows) > _SHOWN
    console.print(
        f"(the first {_SHOWN} rows)"
        if more
        else f"({cursor.rowcount} row{'s' if cursor.rowcount != 1 else ''})"
    )

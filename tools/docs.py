"""Write again the parts of the docs that are generated, between the marks that name them.

    tools/docs.py            write them (make docs)
    tools/docs.py --check    write nothing; end with 1 and name the files that are not current
    tools/docs.py --sample   run the README's example too and write what it printed (half a minute)

A part stands between <!-- generated: NAME --> and <!-- /generated -->; what it says comes from
the settings, the commands' help, the exit codes, the declaration and the models. What people
write stands around it.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import typer
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from trdinger.cli.app import app, run
from trdinger.declaration import SERIES, TABLES, Series
from trdinger.engine.embedded.server import LICENCES
from trdinger.errors import EXIT_CODES
from trdinger.schema.models import Base
from trdinger.schema.models.base import belongs_on
from trdinger.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- /generated -->)", re.DOTALL)
EXAMPLE = re.compile(r"(<!-- ran: tools/docs\.py --sample -->\n```text\n)(.*?)(```\n)", re.DOTALL)
EXAMPLE_COMMANDS = ("trdinger sample trdinger.db --rows 100000", "trdinger migrate trdinger.db")
READMES = ("README.md", "README.ja.md")
PROGRAM = '#!/bin/sh\nexec {python} -c "from trdinger.cli import main; main()" "$@"\n'
COLUMNS = "80"  # of the terminal that help and examples are written for
DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]


def documents() -> list[Path]:
    """Every document of the repository."""
    return sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])


def current(text: str) -> str:
    """A document's text with its generated parts as they should be."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[4]}", text)


def settings() -> str:
    """Every setting with its default and its use."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "" if default is None else f"`{default}`"
        rows.append((f"`{(field.alias or name).upper()}`", shown, field.description or ""))
    return _table(("setting", "default", "what"), rows)


def exit_codes() -> str:
    """What each exit code tells."""
    return _table(
        ("code", "what, or who must act"), [(f"`{code}`", what) for code, what in sorted(EXIT_CODES.items())]
    )


def commands() -> list[tuple[str, ...]]:
    """Every command: ("db", "start"), groups included, () for the whole."""
    return list(_walk(typer.main.get_command(app), ()))


def help_text(command: tuple[str, ...]) -> str:
    """What `trdinger COMMAND --help` prints on a terminal of 80 columns."""
    said = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        with redirect_stdout(said):
            run([*command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return said.getvalue().strip()


def cli() -> str:
    """The help of every command."""
    return "\n\n".join(
        f"## {' '.join(('trdinger', *command))}\n\n```text\n{help_text(command)}\n```"
        for command in commands()
    )


def series() -> str:
    """The declaration, a line a series."""
    return _table(
        ("hypertable", "time", "compressed by", "order inside", "chunk", "what"),
        [
            (
                f"`{one.table}`",
                f"`{one.time}`",
                _names(one.segment_by),
                f"`{one.order_by}`",
                f"{one.chunk_interval.days} days",
                one.what,
            )
            for one in SERIES.values()
        ],
    )


def tables() -> str:
    """Columns, keys and indexes of the nine tables, as PostgreSQL has them."""
    return "\n\n".join(_table_of(name) for name in TABLES)


def embedded() -> str:
    """What the embedded engine is made of."""
    package = json.loads(files("trdinger.engine.embedded").joinpath("package.json").read_text("utf-8"))
    pinned = ", ".join(f"`{name}` {version}" for name, version in package["dependencies"].items())
    return f"{LICENCES}\n\nThe npm package is {pinned}, pinned by its hash."


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "exit-codes": exit_codes,
    "cli": cli,
    "series": series,
    "tables": tables,
    "embedded": embedded,
}


def example() -> str:
    """The README's example: its commands, and what they print, run in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="example-") as folder:
        beside = Path(folder) / "bin"
        beside.mkdir()
        program = beside / "trdinger"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        environment = {
            "PATH": f"{beside}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", folder),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XDG_DATA_HOME": f"{folder}/data",
            "COLUMNS": COLUMNS,
            "LC_ALL": "C.UTF-8",
        }
        if "XDG_CACHE_HOME" in os.environ:
            environment["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]
        said = []
        for command in EXAMPLE_COMMANDS:
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            printed = done.stdout.replace(f"{folder}/data", "~/.local/share").replace(folder, "~")
            said.append(f"$ {command}\n{cut_short(printed)}")
    return "\n".join(said)


def cut_short(printed: str) -> str:
    """What a command printed, without its tables of tables: the READMEs show the verdict and the stages."""
    lines = [line.rstrip() for line in printed.splitlines()]
    end = next((at for at, line in enumerate(lines) if line.split()[:1] == ["Table"]), None)
    return "\n".join(lines if end is None else [*lines[:end], "  …"]) + "\n"


def main(arguments: list[str]) -> int:
    """Write, or with --check compare; the exit code."""
    if "--sample" in arguments:
        printed = example()
        for name in READMES:
            path = REPOSITORY / name
            text = path.read_text("utf-8")
            path.write_text(EXAMPLE.sub(lambda found: found[1] + printed + found[3], text), "utf-8")
    stale = []
    for path in documents():
        text = path.read_text("utf-8")
        if (wanted := current(text)) != text:
            stale.append(str(path.relative_to(REPOSITORY)))
            if "--check" not in arguments:
                path.write_text(wanted, "utf-8")
    if "--check" in arguments and stale:
        sys.stderr.write(f"Not current: {', '.join(stale)}. Mend it: make docs\n")
        return 1
    sys.stdout.write(f"Written: {', '.join(stale)}\n" if stale else "Every generated part is current.\n")
    return 0


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, (*path, name))


def _table_of(name: str) -> str:
    table = Base.metadata.tables[name]
    one = SERIES.get(name)
    columns = [
        (
            f"`{column.name}`",
            f"`{_type(column)}`",
            "" if column.nullable else "not null",
            _default(column),
        )
        for column in table.columns
    ]
    said = [f"### {name}", _table(("column", "type", "", "default"), columns)]
    said.append("\n".join(f"- {line}" for line in (*_keys(table, one), *_indexes(table))))
    return "\n\n".join(said)


def _keys(table: sa.Table, one: Series | None) -> Iterator[str]:
    yield f"primary key: {_names(one.key if one else ('id',))}"
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield f"unique: {_names(tuple(column.name for column in constraint.columns))}"
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        yield f"foreign key: `{key.parent.name}` → `{key.column.table.name}.{key.column.name}`"


def _indexes(table: sa.Table) -> Iterator[str]:
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if belongs_on(index, "postgresql"):
            statement = str(CreateIndex(index).compile(dialect=DIALECT))
            over = statement[statement.index("(") + 1 : statement.rindex(")")]
            why = f": {index.info['why']}" if "why" in index.info else ""
            yield f"index `{index.name}`: `{over}`{why}"


def _type(column: sa.Column[Any]) -> str:
    said = str(column.type.compile(dialect=DIALECT)).lower()
    return {"float": "double precision", "timestamp with time zone": "timestamptz"}.get(said, said)


def _default(column: sa.Column[Any]) -> str:
    if column.identity is not None:
        return "generated"
    return "now" if column.server_default is not None else ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

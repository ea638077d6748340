"""`trdinger db upgrade`, `downgrade` and `check`: the schema of a database, SQLite included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer

from trdinger.cli.options import At, Json, answer, print_json, target
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, sqlite_engine
from trdinger.engine.open import open_database
from trdinger.errors import UsageError
from trdinger.schema.apply import apply
from trdinger.schema.upgrade import SchemaDiffers, current
from trdinger.schema.upgrade import check as check_schema
from trdinger.schema.upgrade import downgrade as downgrade_schema
from trdinger.schema.upgrade import upgrade as upgrade_schema

Revision = Annotated[str, typer.Argument(help="A revision.")]
Below = Annotated[
    str, typer.Argument(help='A revision, or "base" for none of our tables.', show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it: rows of dropped tables are lost.")]


def upgrade(revision: Revision = "head", *, to: At = None, as_json: Json = False) -> None:
    """Bring a database to the schema: migrations, hypertables, compression settings, time zone.

    Works on PostgreSQL, TimescaleDB and SQLite; what the server cannot have is said.

    Example: trdinger db upgrade --to sqlite:///new.db
    """
    address, options = target(to)
    with _engine(address, options) as (engine, name):
        upgrade_schema(engine, revision)
        reached = current(engine)
    said: list[str] = []
    if revision == "head" and address.kind != "sqlite":
        with open_database(address, options) as database, database.connect() as connection:
            said = apply(connection)
    if as_json:
        print_json({"address": name, "revision": reached, "said": said})
        return
    for sentence in [*said, f"{name} is at revision {reached}."]:
        answer().print(sentence, markup=False, soft_wrap=True)


def downgrade(revision: Below, *, to: At = None, yes: Yes = False, as_json: Json = False) -> None:
    """Take migrations back. Tables that a migration made go with their rows.

    Example: trdinger db downgrade base --to sqlite:///old.db --yes
    """
    address, options = target(to)
    if not yes:
        raise UsageError(
            f"Nothing was done: this would take {address} down to {revision}, and tables go with their rows.",
            hint="If that is meant, add --yes.",
        )
    with _engine(address, options) as (engine, name):
        downgrade_schema(engine, revision)
        reached = current(engine)
    if as_json:
        print_json({"address": name, "revision": reached})
    else:
        where = f"at revision {reached}" if reached else "without any of our tables"
        answer().print(f"{name} is {where}.", markup=False, soft_wrap=True)


def check(*, to: At = None, as_json: Json = False) -> None:
    """Compare a database's schema with this program's; write nothing.

    Ends with 5 if they differ, and says how.

    Example: trdinger db check
    """
    address, options = target(to)
    with _engine(address, options, writes=False) as (engine, name):
        try:
            check_schema(engine)
        except SchemaDiffers as error:
            if not as_json:
                raise
            print_json({"address": name, "differences": error.differences})
            raise typer.Exit(error.exit_code) from None
    if as_json:
        print_json({"address": name, "differences": []})
    else:
        answer().print(f"{name}: the schema is this program's.", markup=False, soft_wrap=True)


@contextmanager
def _engine(
    address: Address, options: ConnectionOptions, *, writes: bool = True
) -> Iterator[tuple[sa.Engine, str]]:
    """A SQLAlchemy engine on the address, SQLite included, and its name; closed at the end of the block."""
    with ExitStack() as stack:
        if address.kind == "sqlite":
            assert address.url is not None
            engine, name = sqlite_engine(address.url, options), str(address)
        else:
            database = stack.enter_context(open_database(address, options, writes=writes))
            engine, name = database.engine(), str(database)
        stack.callback(engine.dispose)
        yield engine, name

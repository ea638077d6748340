"""Bring a database to the schema, look where it stands, and say what differs.

    upgrade(database.engine())            to the newest revision
    check(engine)                         raises SchemaDiffers, in sentences
    downgrade(engine, "base")             takes away all of ours, and nothing else

The same on SQLite, PostgreSQL and TimescaleDB of either edition, over psycopg 3.
No alembic.ini: `config()` is the configuration, for anything else that Alembic can do
(`alembic.command.history(config())`). Two upgrades at once wait for each other. On
PostgreSQL each migration is a transaction of its own; on SQLite all of them are one.
A connection that is in a transaction keeps it: nothing is committed then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

import trdinger.schema.comparators
import trdinger.schema.operations  # noqa: F401  (registers op.create_hypertable and its like)
from trdinger import declaration
from trdinger.engine.failures import speaking
from trdinger.errors import TargetError, TargetRefused, UsageError
from trdinger.schema import aggregates
from trdinger.schema.comparison import context_options, metadata_for, sentences

VERSION_TABLE = "alembic_version"
LOCK = 0x7472_6469_6E67_6572  # the advisory lock of migrations: "trdinger" in ASCII


class SchemaDiffers(TargetError):
    """The database's schema is not the one of the models. `differences` are sentences."""

    def __init__(self, message: str, *, differences: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.differences = differences


def upgrade(target: Engine | Connection, revision: str = "head") -> None:
    """Bring the database to `revision`. Idempotent; a SQLite file of the existing application is adopted.

    Raises TargetRefused where PostgreSQL holds tables by our names that no migration made, or the schema
    is of a newer trdinger; UsageError for an unknown revision, TargetError for what the server refuses.
    """
    with _locked(target) as connection:
        _refuse_strangers(connection)
        _run(connection, lambda configuration: command.upgrade(configuration, revision))


def downgrade(target: Engine | Connection, revision: str) -> None:
    """Take migrations back, down to `revision`; "base" drops our tables with their rows.

    The TimescaleDB extension and other people's tables stay. Raises as upgrade() does.
    """
    with _locked(target) as connection:
        if connection.dialect.name == "postgresql":  # they hang on the tables, and can be made again
            with nullcontext() if connection.in_transaction() else connection.begin():
                aggregates.drop(cast("psycopg.Connection[Any]", connection.connection.driver_connection))
        _run(connection, lambda configuration: command.downgrade(configuration, revision))
        _drop_empty_version_table(connection)


def stamp(target: Engine | Connection, revision: str = "head") -> None:
    """Note the database as being at `revision`, without running anything."""
    with _locked(target) as connection:
        _run(connection, lambda configuration: command.stamp(configuration, revision))


def current(target: Engine | Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    with _connected(target) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def heads() -> tuple[str, ...]:
    """The newest revisions that this version of the program knows; one, unless history branched."""
    return tuple(_script().get_heads())


def require_known(revision: str | None, where: object) -> None:
    """Raise TargetRefused for a revision of a newer trdinger: what its schema means is not known here."""
    if revision is None or revision in {one.revision for one in _script().walk_revisions()}:
        return
    raise TargetRefused(
        f"{where} is at revision {revision} of the schema, which this trdinger does not know."
        " Nothing was written.",
        hint="Use the trdinger that made it, or a newer one.",
    )


def check(target: Engine | Connection) -> None:
    """Compare the database with the models and the declaration; raise SchemaDiffers if they differ.

    Writes nothing. What the server cannot have (hypertables, compression) is no difference.
    Raises TargetRefused for the schema of a newer trdinger.
    """
    require_known(current(target), _where(target.engine))
    if found := differences(target):
        raise SchemaDiffers(
            "The database's schema is not the one of this program: " + " ".join(found),
            differences=found,
            hint="Run: trdinger db upgrade",
        )


def differences(target: Engine | Connection) -> tuple[str, ...]:
    """What check() would raise, as sentences; empty when there is nothing."""
    with _connected(target) as connection:
        dialect = connection.dialect.name
        context = MigrationContext.configure(connection, opts=context_options(dialect))
        if (at := context.get_current_revision()) not in heads():
            return (f"The database is at revision {at or 'none'}, this program at {', '.join(heads())}.",)
        changes = produce_migrations(context, metadata_for(dialect)).upgrade_ops
        return () if changes is None else tuple(sentences(changes.ops))


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration of our migrations; with a connection, one that can run them."""
    configuration = Config()
    configuration.set_main_option("script_location", "trdinger.schema:migrations")
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(config())


def _run(connection: Connection, action: object) -> None:
    assert callable(action)
    with _left_as_found(connection):
        at = MigrationContext.configure(connection).get_current_revision()
    require_known(at, _where(connection.engine))
    try:
        action(config(connection))
    except CommandError as error:
        raise UsageError(f"{error}.", hint=f"The newest revision is {', '.join(heads())}.") from error


def _refuse_strangers(connection: Connection) -> None:
    # A SQLite file is adopted: its tables are those that the migrations would make.
    if connection.dialect.name != "postgresql":
        return
    with _left_as_found(connection):
        present = set(sa.inspect(connection).get_table_names())
        revision = MigrationContext.configure(connection).get_current_revision()
    strangers = [table for table in declaration.TABLES if table in present]
    if strangers and revision is None:
        raise TargetRefused(
            f"The database already holds {', '.join(strangers)}, which no migration made."
            " Nothing was changed.",
            hint="Name an empty database.",
        )


def _drop_empty_version_table(connection: Connection) -> None:
    if MigrationContext.configure(connection).get_current_revision() is None:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}")


@contextmanager
def _left_as_found(connection: Connection) -> Iterator[None]:
    # The first statement begins a transaction by itself; Alembic would take it for the caller's.
    began = connection.in_transaction()
    try:
        yield
    finally:
        if not began and connection.in_transaction():
            connection.rollback()


@contextmanager
def _connected(target: Engine | Connection) -> Iterator[Connection]:
    with speaking(_where(target.engine)):
        if isinstance(target, Connection):
            with _left_as_found(target):
                yield target
        else:
            with target.connect() as connection:
                yield connection


def _where(engine: Engine) -> object:
    """What errors name: the `engine.connect.Database` that the engine is of; for another its address."""
    url = engine.url.set(drivername=engine.url.get_backend_name())
    return engine.get_execution_options().get("database") or url.render_as_string(hide_password=True)


@contextmanager
def _locked(target: Engine | Connection) -> Iterator[Connection]:
    with _connected(target) as connection:
        if connection.in_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection
        elif connection.dialect.name == "postgresql":
            with _session_lock(connection):
                yield connection
                connection.commit()
        else:
            with connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver opens none before DDL
                yield connection


@contextmanager
def _session_lock(connection: Connection) -> Iterator[None]:
    connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.commit()
    try:
        yield
    finally:
        if not connection.invalidated:  # a lost session has let go of it
            connection.rollback()
            connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()

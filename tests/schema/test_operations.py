"""The operations as Alembic's own: rendered, run and reversed."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops

from schema.conftest import differences, upgrade
from trdinger import schema
from trdinger.engine.connect import Database
from trdinger.schema.comparison import context_options, metadata_for, sentences
from trdinger.schema.operations import (
    CreateHypertableOp,
    DropCompressionOp,
    EnsureTimescaleDBOp,
    ReplacePrimaryKeyOp,
    SetChunkIntervalOp,
    SetCompressionOp,
    SetDatabaseTimezoneOp,
)
from trdinger.schema.operations.base import TimescaleOp
from trdinger.schema.timescale import Compression

OHLCV = Compression(("symbol", "timeframe"), "timestamp")
EXAMPLES: list[tuple[TimescaleOp, str, str]] = [
    (
        CreateHypertableOp("ohlcv_data", by="timestamp", chunk_interval=timedelta(days=90)),
        "op.create_hypertable('ohlcv_data', by='timestamp', chunk_interval=datetime.timedelta(days=90))",
        "op.drop_hypertable('ohlcv_data', by='timestamp', chunk_interval=datetime.timedelta(days=90))",
    ),
    (
        SetChunkIntervalOp("ohlcv_data", timedelta(days=90), existing=timedelta(days=7)),
        "op.set_chunk_interval('ohlcv_data', datetime.timedelta(days=90),"
        " existing=datetime.timedelta(days=7))",
        "op.set_chunk_interval('ohlcv_data', datetime.timedelta(days=7),"
        " existing=datetime.timedelta(days=90))",
    ),
    (
        SetCompressionOp("ohlcv_data", OHLCV),
        "op.set_compression('ohlcv_data', segment_by=['symbol', 'timeframe'], order_by='timestamp')",
        "op.drop_compression('ohlcv_data')",
    ),
    (
        SetCompressionOp("ohlcv_data", OHLCV, existing=Compression(("symbol",), "timestamp DESC")),
        "op.set_compression('ohlcv_data', segment_by=['symbol', 'timeframe'], order_by='timestamp')",
        "op.set_compression('ohlcv_data', segment_by=['symbol'], order_by='timestamp DESC')",
    ),
    (
        DropCompressionOp("ohlcv_data", existing=OHLCV),
        "op.drop_compression('ohlcv_data')",
        "op.set_compression('ohlcv_data', segment_by=['symbol', 'timeframe'], order_by='timestamp')",
    ),
    (
        ReplacePrimaryKeyOp("ohlcv_data", "ohlcv_data_pkey", ["symbol"], existing=("old", ["id"])),
        "op.replace_primary_key('ohlcv_data', 'ohlcv_data_pkey', ['symbol'], existing=('old', ['id']))",
        "op.replace_primary_key('ohlcv_data', 'old', ['id'], existing=('ohlcv_data_pkey', ('symbol',)))",
    ),
    (
        SetDatabaseTimezoneOp("UTC"),
        "op.set_database_timezone('UTC', existing=None)",
        "op.set_database_timezone(None, existing='UTC')",
    ),
    (EnsureTimescaleDBOp(), "op.ensure_timescaledb()", "op.ensure_timescaledb()"),
]


@pytest.mark.parametrize(
    ("operation", "forward", "backward"), EXAMPLES, ids=lambda value: type(value).__name__
)
def test_an_operation_renders_as_it_is_written_and_so_does_its_reverse(
    operation: TimescaleOp, forward: str, backward: str
) -> None:
    assert _render(operation) == forward
    assert _render(operation.reverse()) == backward


@pytest.mark.parametrize("operation", [example[0] for example in EXAMPLES], ids=lambda op: type(op).__name__)
def test_on_sqlite_the_operations_do_nothing(operation: TimescaleOp) -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        Operations(MigrationContext.configure(connection)).invoke(operation)
        assert sa.inspect(connection).get_table_names() == []


@pytest.mark.needs("hypertables")
def test_a_generated_revision_mends_what_check_found_and_its_downgrade_takes_it_back(
    database: Database,
) -> None:
    upgrade(database, "0001")
    engine = database.engine()
    schema.stamp(engine)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts=context_options("postgresql"))
        script = produce_migrations(context, metadata_for("postgresql"))
        assert script.upgrade_ops is not None
        found = list(sentences(script.upgrade_ops.ops))
        assert any("is no hypertable" in sentence for sentence in found)
        _execute(context, script.upgrade_ops)
    # Compression needs a hypertable first, so the second comparison asks for it.
    engine.dispose()
    with database.connect() as driver:
        schema.apply(driver)
    assert differences(database) == ()
    engine = database.engine()
    with engine.begin() as connection:
        assert script.downgrade_ops is not None
        _execute(MigrationContext.configure(connection), script.downgrade_ops)
        assert list(schema.differences(connection)) == found
    engine.dispose()


def _render(operation: Any) -> str:
    return render_python_code(ops.UpgradeOps([operation])).splitlines()[1].strip()


def _execute(context: MigrationContext, container: ops.UpgradeOps | ops.DowngradeOps) -> None:
    code = "\n".join(line.strip() for line in render_python_code(container).splitlines())
    exec(code, {"op": Operations(context), "sa": sa, "datetime": import_module("datetime")})

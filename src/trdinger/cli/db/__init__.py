"""`trdinger db`: the database itself: start and stop the embedded one, its state, its schema, SQL."""

from __future__ import annotations

import typer

from trdinger.cli.db import doctor, look, refresh, retention, schema, serve, upkeep
from trdinger.engine.embedded import LICENCES
from trdinger.errors import UsageError

app = typer.Typer(
    help=f"Start, stop and look into the database.\n\n{LICENCES}",
    epilog="Example: trdinger db status",
    rich_markup_mode=None,
)
app.command("start", short_help="Start the embedded TimescaleDB in the background.")(serve.start)
app.command("stop")(serve.stop)
app.command("status", short_help="Show what a database is and holds.")(look.status)
app.command("psql", short_help="Ask in SQL.")(look.psql)
app.command("refresh", short_help="Make the aggregates of candles and bring them up to date.")(
    refresh.refresh
)
app.command("doctor", short_help="Find what is wrong with a database, and say how it is mended.")(
    doctor.doctor
)
app.command("policies", short_help="Show or set what the server's scheduler does.")(upkeep.policies)
app.command("compress", short_help="Compress chunks past their age now.")(upkeep.compress)
app.command("run-jobs", short_help="Do what is due: compression, refresh, retention.")(upkeep.run_jobs)
app.command("retention", short_help="Archive chunks past their age, and drop them.")(retention.retention)
app.command("upgrade", short_help="Bring a database to the schema.")(schema.upgrade)
app.command("downgrade")(schema.downgrade)
app.command("check", short_help="Compare a database's schema with this program's.")(schema.check)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201
        raise typer.Exit(UsageError.exit_code)

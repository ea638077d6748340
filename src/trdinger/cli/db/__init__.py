"""`trdinger db`: the database itself: start and stop the embedded one, its state, its schema, SQL."""

from __future__ import annotations

from trdinger.cli.db import doctor, look, refresh, retention, schema, serve, upkeep
from trdinger.cli.options import group
from trdinger.engine.embedded import LICENCES

app = group(
    help=f"Start, stop and look into the database.\n\n{LICENCES}",
    epilog="Example: trdinger db status",
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

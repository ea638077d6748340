"""The process of one run: reads its job from stdin, writes what it measured to stdout, both as JSON.

A process for each run, so that the memory of one is not that of another. The job comes by stdin, since
its address may hold a password.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from trdinger.bench import duckdb, ours, replay
from trdinger.bench.hypertables import rows
from trdinger.bench.processes import server_process
from trdinger.engine.connect import Database
from trdinger.errors import TrdingerError

COMMAND = (sys.executable, "-m", "trdinger.bench.child")


def job(contestant: str, file: Path, database: Database, *, workdir: Path, connections: int) -> str:
    """The job for one run."""
    return json.dumps(
        {
            "contestant": contestant,
            "file": str(file),
            "url": database.url.render_as_string(hide_password=False),
            "sessions": database.sessions,
            "name": database.name,
            "workdir": str(workdir),
            "connections": connections,
        }
    )


def work(said: dict[str, Any]) -> dict[str, Any]:
    """Do a job; what there is to tell of it."""
    database = Database(make_url(said["url"]), sessions=said["sessions"], name=said["name"])
    file, server = Path(said["file"]), server_process(database)
    if said["contestant"] == "trdinger":
        clock = ours.move(file, database, server, workdir=Path(said["workdir"]))
    elif said["contestant"] == "replay":
        clock = replay.replay(file, database, server, connections=said["connections"])
    else:
        clock = duckdb.transfer(file, database, server)
    with database.connect(autocommit=True) as connection:
        arrived = rows(connection)
    return {"parts": [vars(part) for part in clock.parts], "rows": arrived}


def main() -> int:
    """Do the job on stdin. An error is told as JSON, too."""
    try:
        answer = work(json.load(sys.stdin))
    except TrdingerError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    json.dump(answer, sys.stdout)
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())

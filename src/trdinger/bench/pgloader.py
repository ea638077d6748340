"""pgloader, as the system has it: the whole file into plain tables, with the indexes of the file.

Its head start: no hypertable, no compression, no proof.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from trdinger.bench.clock import Part
from trdinger.bench.processes import Finished, cpu_of, finished
from trdinger.engine.connect import Database
from trdinger.errors import TargetError

_LOAD = """LOAD DATABASE FROM sqlite://{file} INTO {url}
 WITH include drop, create tables, create indexes, reset sequences;
"""


def absent() -> str | None:
    """Why it cannot run here; None when it can."""
    return (
        None if shutil.which("pgloader") else "pgloader is not installed (Debian: apt-get install pgloader)"
    )


def version() -> str:
    """What runs."""
    done = subprocess.run(["pgloader", "--version"], capture_output=True, text=True, check=False)
    first, _, _ = (done.stdout or done.stderr).partition("\n")
    return first.strip() or "pgloader"


def transfer(file: Path, database: Database, server: int | None) -> tuple[list[Part], Finished]:
    """Load the file. Raises TargetError."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with tempfile.TemporaryDirectory(prefix="trdinger-bench-") as folder:
        command = Path(folder) / "load"  # in a file: a password on a command line is anybody's to read
        command.touch(mode=0o600)
        command.write_text(_LOAD.format(file=quote(str(file.resolve())), url=url), encoding="utf-8")
        before = cpu_of(server)
        done = finished(["pgloader", "--root-dir", folder, str(command)])
        after = cpu_of(server)
    # It ends with 0 whatever was lost.
    if done.code != 0 or " ERROR " in done.out or " FATAL " in done.out or "KABOOM" in done.out:
        raise TargetError(f"pgloader failed: {(done.out + done.err)[-2000:]}")
    used = None if before is None or after is None else after - before
    return [Part("Load", done.seconds, done.cpu, used)], done

"""`trdinger db doctor`: what is wrong with a database, or will be, and how it is mended."""

from __future__ import annotations

from trdinger.archive.place import place
from trdinger.cli.options import ArchiveAt, Json, To, answer, print_json, target
from trdinger.engine.open import open_database
from trdinger.errors import Findings
from trdinger.report.lifecycle import show_findings
from trdinger.settings import load
from trdinger.upkeep.doctor import examine


def doctor(*, to: To = None, archive: ArchiveAt = None, as_json: Json = False) -> None:
    """Look for what is wrong with a database, or will be, and say how each is mended; change nothing.

    Tables, keys and indexes, the time zone, clocks, connections, the version; jobs and policies, stale
    aggregates, retention, the archive. Ends with 9 where something is wrong, with 0 where nothing is or
    where it only could be better.

    Example: trdinger db doctor
    """
    settings = load()
    named = archive or settings.trdinger_archive
    address, options = target(to)
    with open_database(address, options) as database:
        found = dict(examine(database, settings.lifecycle, place(named) if named else None))
        told = {
            "address": str(database),
            "server": str(database.capabilities),
            "checks": list(found),
            "findings": [
                {"check": name, "level": one.level, "said": one.said, "fix": one.fix}
                for name, findings in found.items()
                for one in findings
            ],
        }
    if as_json:
        print_json(told)
    else:
        show_findings(told, answer())
    wrong = sum(one.level == "wrong" for findings in found.values() for one in findings)
    if wrong:
        raise Findings(f"{told['address']} is not well: {wrong} wrong.", hint="Each has its fix beside it.")

"""`trdinger backup`: a dated copy with its SHA-256, made while the application goes on."""

from __future__ import annotations

from trdinger.cli.options import Json, Quiet, Source, Workdir, answer, print_json
from trdinger.legacy import source as files
from trdinger.legacy.backup import back_up
from trdinger.report.progress import choose


def command(source: Source, *, workdir: Workdir = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Copy a SQLite file safely while a program writes to it, and check the copy.

    Example: trdinger backup trdinger.db
    """
    file = files.Source(source)
    file.check()
    folder = workdir or source.resolve().with_name(f"{source.stem}-move")
    with choose(quiet=quiet, json=as_json) as progress:
        progress.stage("Back up", total=file.bytes, measure="bytes")
        backup = back_up(
            file,
            folder,
            tell=progress.advance,
            summing=lambda size: progress.stage("SHA-256", total=size, measure="bytes"),
        )
        progress.end()
    if as_json:
        print_json({"path": str(backup.path), "sha256": backup.sha256, "bytes": backup.bytes})
    else:
        answer().print(
            f"{backup.path}\nSHA-256 {backup.sha256}, {backup.bytes:,} bytes", markup=False, soft_wrap=True
        )

"""`trdinger cache`: months of series that were read and are kept on this machine."""

from __future__ import annotations

from typing import Any

from trdinger.cache.files import Files, Use
from trdinger.cli.options import Json, answer, group, print_json
from trdinger.report.figures import counted, size
from trdinger.settings import load

app = group(
    help="Months that were read, kept on this machine to be read again faster.",
    epilog="Example: trdinger cache status",
)


@app.command("status")
def status(*, as_json: Json = False) -> None:
    """Show which series are kept, and how much room they take.

    Example: trdinger cache status
    """
    use = _files().use()
    if as_json:
        print_json(_told(use))
        return
    limit = f"of {size(use.limit)}" if use.limit else "kept before TRDINGER_CACHE_MEGABYTES was 0"
    _say(f"{counted(use.files, 'file')} in {use.folder}: {size(use.bytes)} {limit}.")
    for one in use.series:
        named = " ".join(str(one[name]) for name in ("table", "symbol", "timeframe") if name in one)
        _say(f"  {named}: {counted(one['files'], 'file')}, {size(one['bytes'])}, of {one['database']}")


@app.command("clear")
def clear(*, as_json: Json = False) -> None:
    """Remove what is kept; the next reads ask the server.

    Example: trdinger cache clear
    """
    use = _files().clear()
    if as_json:
        print_json(_told(use))
    else:
        _say(f"{counted(use.files, 'file')} removed from {use.folder}: {size(use.bytes)}.")


def _files() -> Files:
    settings = load()
    return Files(settings.cache_folder, settings.cache_bytes)


def _told(use: Use) -> dict[str, Any]:
    return {
        "directory": str(use.folder),
        "limit": use.limit,
        "files": use.files,
        "bytes": use.bytes,
        "series": use.series,
    }


def _say(sentence: str) -> None:
    answer().print(sentence, markup=False, soft_wrap=True)

"""What a source holds now that its backup does not: told when a move goes on from that backup.

By rows and last times, series by series, as the surveys have them; values that were changed
in place do not show here.
"""

from __future__ import annotations

from collections.abc import Iterator

from trdinger.legacy.survey import SeriesSurvey, Survey, TableSurvey

_SHOWN = 5  # series or tables that the sentence names


def since(backup: Survey, now: Survey) -> str | None:
    """What changed in the source since its backup and what to do about it, in words; None for nothing."""
    found = list(_changes(backup, now))
    if not found:
        return None
    more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return (
        f"{now.source.path} changed since it was backed up: {'; '.join(found[:_SHOWN])}{more}."
        " This move is of the backup and has none of that. To move the file as it is now, run the command"
        " with --existing replace once this move has ended; that empties the nine tables first."
    )


def _changes(backup: Survey, now: Survey) -> Iterator[str]:
    names = [table.shape.name for table in now.tables]
    names += [table.shape.name for table in backup.tables if table.shape.name not in names]
    for name in names:
        then, today = backup.table(name), now.table(name)
        series = list(_series(name, then, today))
        yield from series
        if not series:
            rows, held = (table.rows if table else 0 for table in (today, then))
            yield from _counted(name, rows - held)


def _series(name: str, then: TableSurvey | None, today: TableSurvey | None) -> Iterator[str]:
    old, new = _by_segment(then), _by_segment(today)
    for segment in sorted({*old, *new}):
        what = f"{name} {' '.join(segment)}"
        before, after = old.get(segment), new.get(segment)
        rows = (after.rows if after else 0) - (before.rows if before else 0)
        if rows:
            yield from (
                f"{told}, the last of {after.last}" if after else told for told in _counted(what, rows)
            )
        elif before and after and before.last != after.last:
            yield f"{what}: the last row is of {after.last}, not of {before.last}"


def _by_segment(table: TableSurvey | None) -> dict[tuple[str, ...], SeriesSurvey]:
    return {series.segment: series for series in table.series} if table else {}


def _counted(what: str, rows: int) -> Iterator[str]:
    if rows:
        yield f"{what}: {abs(rows):,} {'row' if abs(rows) == 1 else 'rows'} {'more' if rows > 0 else 'fewer'}"

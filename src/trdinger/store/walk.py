"""The walk over a series' key: what there is, as long as there are series and not rows."""

from __future__ import annotations

from trdinger.declaration import Series


def walk(series: Series) -> str:
    """Every series with its first and last time."""
    level = len(series.segment_by) - 1
    same = " AND ".join(f"t.{name} = w{level}.{name}" for name in series.segment_by)
    first, last = (
        f"(SELECT t.{series.time} FROM {series.table} AS t WHERE {same}"
        f" ORDER BY t.{series.time} {way} LIMIT 1)"
        for way in ("ASC", "DESC")
    )
    listed = ", ".join(series.segment_by)
    return f"{steps(series, level + 1)} SELECT {listed}, {first} AS low, {last} AS high FROM w{level}"


def steps(series: Series, levels: int) -> str:
    """w0, w1 …: the key's index is asked for the next name after the last one: no scan, no DISTINCT.

    A name at a time: a comparison of whole keys would not be left to the index of compressed chunks.
    """
    steps = []
    for level, name in enumerate(series.segment_by[:levels]):
        above = series.segment_by[:level]
        taken = "".join(f"w.{one}, " for one in above)
        same = "".join(f"t.{one} = w.{one} AND " for one in above)
        first, following = (
            f"(SELECT t.{name} FROM {series.table} AS t WHERE {same}{after} ORDER BY t.{name} LIMIT 1) AS n"
            for after in ("true", f"t.{name} > w.{name}")
        )
        steps.append(
            f"w{level} AS (SELECT {taken}n.{name} FROM {f'w{level - 1} AS w' if level else '(SELECT) AS w'},"
            f" LATERAL {first} UNION ALL SELECT {taken}n.{name} FROM w{level} AS w, LATERAL {following})"
        )
    return f"WITH RECURSIVE {', '.join(steps)}"

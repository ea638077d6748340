"""A first plan for a file, as TOML: each table of a user's own with what was found, to be changed by hand."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from collections.abc import Iterator

from trdinger.legacy.misfit import Misfit
from trdinger.legacy.own.choices import span
from trdinger.legacy.own.table import Own, chunk_of
from trdinger.legacy.source import quoted
from trdinger.legacy.survey import Survey, TableSurvey
from trdinger.legacy.values import convert
from trdinger.schema.shape import Column

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = ("time", "integer", "float")  # kinds of columns that may tell a row's time
_HEAD = """\
# The tables of {path} that are a user's own, as they are now.
# Change what shall be otherwise, then: trdinger migrate {path} --with PLAN.toml
# Each line may be taken out again: then the file decides. A value that a type cannot hold is set
# aside with its row. Types: bigint, double precision, boolean, text, varchar(n), timestamptz, date,
# jsonb, bytea; "null" after one allows null. The time of a hypertable is timestamptz in any case.
"""


def written(survey: Survey) -> str:
    """The plan as TOML that `choices.read` takes. Reads the first and last value of some columns."""
    parts = [_HEAD.format(path=shlex.quote(str(survey.source.path)))]
    with survey.source.connect() as connection:
        parts += [
            "\n".join(_table(connection, table, table.own)) for table in survey.own if table.own is not None
        ]
    told = {f"{table.stored}: {left}" for table in survey.own if table.own for left in table.own.left}
    others = [f"#   {_line(other)}" for other in survey.others if other not in told]
    if others:
        parts.append("\n".join(["# Not moved:", *others]))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(connection: sqlite3.Connection, table: TableSurvey, own: Own) -> Iterator[str]:
    name = f"tables.{_key(own.stored)}"
    keyed = f", key ({', '.join(own.table.primary)})" if own.table.primary else ""
    yield f"[{name}]  # {_line(f'{table.rows:,} rows{keyed}')}"
    yield "move = true"
    series = own.table.series
    if series is not None:
        choice = own.choice.series
        assert choice is not None
        segment = ", ".join(map(_text, choice.segment))
        yield _hypertable("", choice.time, segment, span(series.chunk))
    else:
        for stored, chunk in _times(connection, own):
            yield _hypertable("# ", stored, _segment(own, stored), chunk)
    for sentence in (*own.said, *(f"not moved: {left}" for left in own.left)):
        yield f"# {_line(sentence)}"
    yield f"[{name}.types]"
    for stored, told in own.choice.types.items():
        yield f"{_key(stored)} = {_text(told)}"


def _hypertable(mark: str, time: str, segment: str, chunk: str) -> str:
    return f'{mark}hypertable = {{ time = {_text(time)}, segment = [{segment}], chunk = "{chunk}" }}'


def _times(connection: sqlite3.Connection, own: Own) -> Iterator[tuple[str, str]]:
    """The columns whose first and last value are times, each with the span that suits a chunk."""
    for stored, column in zip(own.columns, own.table.shape.columns, strict=True):
        if column.kind not in _TIMES or column.name == own.table.identity:
            continue
        name = quoted(stored)
        ends = connection.execute(f"SELECT min({name}), max({name}) FROM {quoted(own.stored)}").fetchone()
        try:
            first, last = (convert(Column(column.name, "time", nullable=False), end)[0] for end in ends)
        except Misfit:
            continue
        if isinstance(first, int) and isinstance(last, int):
            yield stored, span(chunk_of(first, last))


def _segment(own: Own, time: str) -> str:
    """What the rows of one time are told apart by: the other columns of the key that are text."""
    spelled = dict(zip(own.table.shape.column_names, own.columns, strict=True))
    return ", ".join(
        _text(spelled[name])
        for name in own.table.primary
        if spelled[name] != time and own.table.shape.column(name).kind == "text"
    )


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A basic string of TOML, which is JSON's but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)

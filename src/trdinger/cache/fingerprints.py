"""What a server holds of a series in a span of time, as a fingerprint that it gives in under a millisecond.

PostgreSQL never changes a row version in place: a correction makes a new one, by a later transaction. Rows
of a series are versions in its chunks: a batch of the compressed part, or a row outside of it. So what a
snapshot saw once is what is there now if nothing that is there was made by a transaction that had not ended
then, and if as many versions are there: then none came, and none went. This needs no contents to be read.

Transactions are numbered modulo 2^32 in a row version. A version's age is told modulo 2^32, too, and
anything that could have been made since is taken for new: a number that comes round again makes a kept span
be read anew, never believed. Numbers start over where a server goes back to an older copy of its files,
and may where one crashed; the moments of its start and of its recovery are part of every fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from trdinger.cache.spans import Span
from trdinger.declaration import Series
from trdinger.errors import TargetError
from trdinger.schema.shape import shape

Ask = Callable[[str, Sequence[object]], pa.Table]
"""One statement with $1, $2 … and their values; what it answers. Raises TargetError."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROUND = 1 << 32  # transactions after which a number comes again


class Rearranged(Exception):
    """Fingerprints cannot be had: the table's chunks are others than were known, or the server refused."""


@dataclass(frozen=True)
class Fingerprint:
    """What there is of one span at one moment.

    relations: what the versions are in. versions: how many there are.
    age: how many transactions ago, modulo 2^32, the youngest was made.
    upcoming: the number of the next transaction; below `horizon` every one had ended.
    """

    relations: str
    versions: int
    age: int
    upcoming: int
    horizon: int

    def same(self, kept: Fingerprint) -> bool:
        """Whether what there was at `kept` is what there is now."""
        return (
            self.relations == kept.relations
            and self.versions == kept.versions
            and kept.upcoming <= self.upcoming
            and self.age > self.upcoming - kept.horizon
        )


@dataclass(frozen=True)
class _Chunk:
    """One chunk. start, end in microseconds; packed: the relation of its batches; where: which are asked for.

    usable: plain relations that this user may read.
    """

    relation: str
    packed: str | None
    where: str
    token: str
    start: int
    end: int
    usable: bool


@dataclass(frozen=True)
class Layout:
    """Where the rows of a series are, as it was learned; each fingerprint makes sure that it still is so.

    database: which one it is, wherever it is reached. columns: those that can be kept.
    """

    series: Series
    database: str
    columns: tuple[str, ...]
    ground: str
    head: str
    chunks: tuple[_Chunk, ...]
    _statements: dict[tuple[Span, ...], str] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """No row is before it."""
        return min(chunk.start for chunk in self.chunks)

    @property
    def end(self) -> int:
        """No row is at or after it."""
        return max(chunk.end for chunk in self.chunks)

    def usable(self, span: Span) -> bool:
        """Whether a fingerprint tells all of the span."""
        return all(chunk.usable for chunk in self._meeting(span))

    def hold(self, ask: Ask, spans: Sequence[Span]) -> None:
        """See to it that no relation of these spans is emptied until the transaction ends.

        Before its snapshot is taken: one that is older than an emptying sees the rows neither of before nor
        of after it. Raises Rearranged.
        """
        names = [self.series.table]
        for chunk in self.chunks:
            if any(chunk.start < span.end and span.start < chunk.end for span in spans):
                names += [chunk.relation, *([chunk.packed] if chunk.packed else [])]
        _asked(ask, f"LOCK TABLE {', '.join(f'ONLY {name}' for name in names)} IN ACCESS SHARE MODE")

    def fingerprints(self, ask: Ask, segment: tuple[str, ...], spans: Sequence[Span]) -> list[Fingerprint]:
        """One of each span, all of one moment, in one round trip. Raises Rearranged."""
        asked = tuple(spans)
        if asked not in self._statements:
            if len(self._statements) >= _STATEMENTS:
                self._statements.clear()
            self._statements[asked] = self._statement(asked)
        found = _asked(ask, self._statements[asked], segment).to_pylist()
        told = {row["n"]: row for row in found}
        now = told.pop(-1)
        if now["ground"] != self.ground:
            raise Rearranged
        # Both are read a moment after each other, the younger from a counter of 32 bits.
        upcoming = now["upcoming"] + (now["age"] + _FIRST - now["upcoming"]) % _ROUND
        return [
            Fingerprint(
                " ".join([self.head, *(chunk.token for chunk in self._meeting(span))]),
                told[n]["versions"],
                told[n]["age"] if told[n]["versions"] else _ROUND,
                upcoming,
                now["horizon"],
            )
            for n, span in enumerate(asked)
        ]

    def _meeting(self, span: Span) -> list[_Chunk]:
        return [chunk for chunk in self.chunks if chunk.start < span.end and span.start < chunk.end]

    def _statement(self, spans: tuple[Span, ...]) -> str:
        same = " AND ".join(f"{name} = ${at}" for at, name in enumerate(self.series.segment_by, 1))
        time = self.series.time
        versions = ["SELECT 0, NULL::bigint"]
        for chunk in self.chunks:
            met = [n for n, span in enumerate(spans) if chunk.start < span.end and span.start < chunk.end]
            if not met:
                continue
            inside = f"s.n BETWEEN {met[0]} AND {met[-1]}"
            versions.append(
                f"SELECT {_VERSIONS} FROM ONLY {chunk.relation}"
                f" WHERE {same} AND {time} >= s.start AND {time} < s.stop AND {inside}"
            )
            if chunk.packed:
                versions.append(
                    f"SELECT {_VERSIONS} FROM ONLY {chunk.packed} WHERE {chunk.where or 'true'} AND {inside}"
                )
        listed = ", ".join(
            f"({n}, {_moment(span.start)}, {_moment(span.end)})" for n, span in enumerate(spans)
        )
        return f"""
            SELECT s.n, sum(v.versions)::bigint AS versions, min(v.age) AS age, NULL AS ground,
                   0::bigint AS upcoming, 0::bigint AS horizon
            FROM (VALUES {listed}) AS s (n, start, stop)
            CROSS JOIN LATERAL ({" UNION ALL ".join(versions)}) AS v (versions, age) GROUP BY s.n
            UNION ALL
            SELECT -1, 0, age('{_FIRST}'::xid), ({_ground(self.series)}),
                   pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                   pg_snapshot_xmin(pg_current_snapshot())::text::bigint"""


_VERSIONS = f"count(*), min(age(xmin)::bigint & {_ROUND - 1})"
_FIRST = 3  # the first number that a transaction can have
_STATEMENTS = 64  # that are remembered for a layout, as many as stay prepared


def _asked(ask: Ask, statement: str, values: Sequence[object] = ()) -> pa.Table:
    try:
        return ask(statement, values)
    except TargetError as error:
        raise Rearranged(error) from error


def learn(ask: Ask, series: Series) -> Layout | None:
    """Where the rows of a series are; None where fingerprints cannot tell what is there.

    That is where the server does not say to where a chunk is compressed, or rows are kept from some users.
    Raises TargetError.
    """
    if not ask(_ABLE, []).column(0)[0].as_py():
        return None
    rows = ask(_learning(series), []).to_pylist()
    if not rows or not rows[0]["plain"] or not rows[0]["relation"]:
        return None
    chunks = tuple(
        _Chunk(
            row["relation"],
            row["packed"],
            _batches(series, row["columns"] or "", row["place"]),
            row["token"],
            row["start"],
            row["stop"],
            row["usable"],
        )
        for row in rows
    )
    first = rows[0]
    return Layout(series, first["database"], _kept(series), first["ground"], first["head"], chunks)


def _kept(series: Series) -> tuple[str, ...]:
    """The columns of what was observed, the time first."""
    others = {*series.key, series.saved, "id", "created_at", "updated_at"}
    return (series.time, *(one for one in shape(series.table).column_names if one not in others))


def _batches(series: Series, columns: str, place: int | None) -> str:
    """Which batches can hold rows of the segment and the span: all where their description does not tell."""
    have = set(columns.split())
    told = [f"{name} = ${at}" for at, name in enumerate(series.segment_by, 1) if name in have]
    low, high = f"_ts_meta_min_{place}", f"_ts_meta_max_{place}"
    if {low, high} <= have:
        told += [f"{high} >= s.start", f"{low} < s.stop"]
    return " AND ".join(told)


def _moment(microseconds: int) -> str:
    return f"TIMESTAMPTZ '{(_EPOCH + timedelta(microseconds=microseconds)).isoformat()}'"


_ABLE = """
SELECT count(*) = 2 FROM pg_attribute
WHERE attrelid = to_regclass('_timescaledb_catalog.compression_settings')
  AND attname IN ('relid', 'compress_relid')
"""

# What each fingerprint depends on but for the rows: the server's run, the table and its columns, its chunks.
_HEAD = """
concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
    (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter), h.oid,
    (SELECT string_agg(concat_ws(':', attnum, attname, atttypid), ' ' ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = h.oid AND attname IN ({columns})))
"""
_PLAIN = "(NOT h.relrowsecurity AND has_table_privilege(h.oid, 'SELECT'))"
_PART = "concat_ws(':', k.oid, k.relkind, k.relam, k.relfilenode, p.oid, p.relam, p.relfilenode)"
_PARTS = """
pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
LEFT JOIN _timescaledb_catalog.compression_settings c ON c.relid = k.oid
LEFT JOIN pg_class p ON p.oid = c.compress_relid
"""


def _ground(series: Series) -> str:
    return f"""
        SELECT concat_ws(' ', {_head(series)}, {_PLAIN},
            (SELECT string_agg({_PART}, ' ' ORDER BY k.oid) FROM {_PARTS} WHERE i.inhparent = h.oid))
        FROM pg_class h WHERE h.oid = to_regclass('{series.table}')"""


def _head(series: Series) -> str:
    columns = ", ".join(f"'{name}'" for name in (*series.segment_by, *_kept(series)))
    return _HEAD.format(columns=columns)


def _learning(series: Series) -> str:
    heap = "(SELECT oid FROM pg_am WHERE amname = 'heap')"
    microseconds = "(extract(epoch FROM {}) * 1000000)::bigint"
    return f"""
        SELECT ({_ground(series)}) AS ground, {_head(series)} AS head,
            {_PLAIN} AS plain,
            concat_ws(' ', (SELECT system_identifier FROM pg_control_system()),
                (SELECT oid FROM pg_database WHERE datname = current_database()), current_user) AS database,
            format('%I.%I', n.nspname, k.relname) AS relation,
            CASE WHEN p.oid IS NOT NULL THEN format('%I.%I', q.nspname, p.relname) END AS packed,
            {_PART} AS token, array_position(c.orderby, '{series.time}') AS place,
            (SELECT string_agg(attname, ' ') FROM pg_attribute
             WHERE attrelid = p.oid AND attnum > 0
               AND atttypid <> '_timescaledb_internal.compressed_data'::regtype) AS columns,
            {microseconds.format("u.range_start")} AS start, {microseconds.format("u.range_end")} AS stop,
            coalesce(k.relkind = 'r' AND k.relam = {heap} AND has_table_privilege(k.oid, 'SELECT')
                AND (p.oid IS NULL OR p.relam = {heap} AND has_table_privilege(p.oid, 'SELECT')), false)
                AS usable
        FROM pg_class h
        LEFT JOIN ({_PARTS} JOIN pg_namespace n ON n.oid = k.relnamespace
            LEFT JOIN pg_namespace q ON q.oid = p.relnamespace
            LEFT JOIN timescaledb_information.chunks u
              ON u.chunk_schema = n.nspname AND u.chunk_name = k.relname)
          ON i.inhparent = h.oid
        WHERE h.oid = to_regclass('{series.table}') ORDER BY k.oid"""

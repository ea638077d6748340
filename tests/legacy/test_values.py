"""What a stored value means. The oracle is the standard library's datetime, built from parts."""

from __future__ import annotations

import math
import random
import struct
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from trdinger.engine.connect import Database
from trdinger.legacy.documents import constants, parse_json
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.source import Text
from trdinger.legacy.values import CONSTANTS, Rules, Stored, convert, show
from trdinger.schema.shape import Column, Kind

SEED = 20_240_101
NANOSECOND_TEXT = "2024-01-01 00:00:00.123456789"


def column(kind: Kind, *, nullable: bool = False, length: int | None = None, bits: int = 64) -> Column:
    return Column("c", kind, nullable, length=length, bits=bits)


def text(value: str) -> Text:
    return Text(value.encode())


def micros(moment: datetime) -> int:
    """Microseconds since 1970, in whole numbers throughout."""
    gone = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def reason(kind: Column, stored: Stored) -> str:
    with pytest.raises(Misfit) as misfit:
        convert(kind, stored)
    return misfit.value.reason


NINE = timezone(timedelta(hours=9))
HALF_PAST_THREE = timezone(-timedelta(hours=3, minutes=30))
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)

TIMES: list[tuple[str, datetime, str | None]] = [
    ("2024-01-01 12:00:00.000000", NOON, None),
    ("2024-01-01 12:00:00", NOON, None),
    ("2024-01-01 12:00:00.123456", NOON.replace(microsecond=123_456), None),
    ("2024-01-01 12:00:00.1", NOON.replace(microsecond=100_000), "time in another form"),
    ("2024-01-01 12:00:00.123", NOON.replace(microsecond=123_000), "time in another form"),
    ("2024-01-01 12:00:00,123456", NOON.replace(microsecond=123_456), "time in another form"),
    ("2024-01-01 12:00:00.123456000", NOON.replace(microsecond=123_456), "time in another form"),
    ("2024-01-01 12:00", NOON, "time in another form"),
    ("2024-01-01 12", NOON, "time in another form"),
    ("20240101 120000", NOON, "time in another form"),
    ("2024-W01-1 12:00:00", NOON, "time in another form"),
    ("2024-01-01T12:00:00", NOON, "time with T"),
    ("2024-01-01t12:00:00.000000", NOON, "time with T"),
    ("20240101T120000", NOON, "time with T"),
    ("20240101T120000.5", NOON.replace(microsecond=500_000), "time with T"),
    ("2024-01-01T12:00:00Z", NOON, "time with an offset"),
    ("2024-01-01T12:00:00z", NOON, "time with an offset"),
    ("2024-01-01 12:00:00+00:00", NOON, "time with an offset"),
    ("2024-01-01 12:00:00-00:00", NOON, "time with an offset"),
    ("2024-01-01 21:00:00+09:00", NOON.astimezone(NINE), "time with an offset"),
    ("2024-01-01 21:00:00.1+0900", NOON.replace(microsecond=100_000), "time with an offset"),
    ("2024-01-01 21:00+09", NOON, "time with an offset"),
    ("2024-01-01 08:30:00-03:30", NOON.astimezone(HALF_PAST_THREE), "time with an offset"),
    ("2024-01-02 02:59:00+14:59", NOON, "time with an offset"),
    ("2024-01-01", datetime(2024, 1, 1, tzinfo=UTC), "date alone"),
    ("20240101", datetime(2024, 1, 1, tzinfo=UTC), "date alone"),
    ("2024-W01-1", datetime(2024, 1, 1, tzinfo=UTC), "date alone"),
    ("2024W017", datetime(2024, 1, 7, tzinfo=UTC), "date alone"),
    ("2020-W53-7", datetime(2021, 1, 3, tzinfo=UTC), "date alone"),
    ("2024-02-29 23:59:59.999999", datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC), None),
    ("0001-01-01 00:00:00.000000", datetime(1, 1, 1, tzinfo=UTC), None),
    ("9999-12-31 23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC), None),
    ("1969-12-31 23:59:59.999999", datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), None),
]

NO_TIMES: list[tuple[str, str]] = [
    # No instant of their own: an hour 24 is an error or the next day, by the version of Python.
    ("2024-01-01 24:00:00", "not a time"),
    ("2024-01-01T24:00:00.000000", "not a time"),
    ("2016-12-31 23:59:60", "not a time"),
    ("2016-12-31 23:59:60.000000", "not a time"),
    # Half an hour and half a minute, which Python takes for half a second.
    ("2024-01-01 12.5", "not a time"),
    ("2024-01-01 12:00.5", "not a time"),
    ("2024-01-01 12,5", "not a time"),
    # An offset to a date: its midnight there, or nine o'clock as Python has it?
    ("2024-01-01+09:00", "not a time"),
    ("2024-01-01-05:00", "not a time"),
    ("2024-01-01Z", "not a time"),
    # Any mark between date and time will do for Python.
    ("2024-01-01x12:00:00", "not a time"),
    ("2024-01-01_12:00:00.000000", "not a time"),
    ("2024-01-01\u300012:00:00", "not a time"),
    ("2024-01-01 12:00 +00:00", "not a time"),
    ("2024-01-01 12:00:00 UTC", "not a time"),
    # A week is no day, a month neither, and the 60th minute of an offset is an hour.
    ("2024-W01", "not a time"),
    ("2024-01", "not a time"),
    ("2024-001", "not a time"),
    ("2024", "not a time"),
    ("2024-01-01 12:00+09:60", "not a time"),
    ("2024-01-01 12:00+24:00", "not a time"),
    ("2023-W53-1", "not a time"),
    ("2024-01-01 1200:00", "not a time"),
    ("2024-01-01 12:0000", "not a time"),
    ("2024-1-1 00:00:00", "not a time"),
    ("2023-02-29 00:00:00", "not a time"),
    ("2024-13-01 00:00:00", "not a time"),
    ("2024-01-01 12:60:00", "not a time"),
    ("0000-01-01 00:00:00", "not a time"),
    ("12345-01-01 00:00:00", "not a time"),
    ("-2024-01-01 00:00:00", "not a time"),
    ("２０２４-01-01 00:00:00", "not a time"),
    (" 2024-01-01 00:00:00", "not a time"),
    ("2024-01-01 00:00:00\n", "not a time"),
    ("2024-01-01 00:00:00.", "not a time"),
    ("2024-01-01 00:00:00\x00", "not a time"),
    ("", "not a time"),
    ("now", "not a time"),
    ("01/02/2024", "not a time"),
    ("0001-01-01 00:00:00+00:01", "outside the years 1 to 9999"),
    ("9999-12-31 23:59:59-01:00", "outside the years 1 to 9999"),
    (NANOSECOND_TEXT, "finer than a microsecond"),
    ("2024-01-01 00:00:00.0000001", "finer than a microsecond"),
    ("2024-01-01T00:00:00.1234560001Z", "finer than a microsecond"),
]


@pytest.mark.parametrize(("stored", "instant", "form"), TIMES, ids=[case[0] for case in TIMES])
def test_a_text_that_names_one_instant_is_that_instant(
    stored: str, instant: datetime, form: str | None
) -> None:
    assert convert(column("time"), text(stored)) == (micros(instant), form)


@pytest.mark.parametrize(("stored", "why"), NO_TIMES, ids=[repr(case[0]) for case in NO_TIMES])
def test_a_text_with_no_instant_or_two_is_a_misfit(stored: str, why: str) -> None:
    assert why in reason(column("time"), text(stored))


def test_every_form_of_a_random_instant_is_that_instant() -> None:
    rng = random.Random(SEED)
    first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
    span = micros(last) - micros(first)
    for _ in range(2_000):
        moment = first + timedelta(microseconds=rng.randrange(span))
        zone = timezone(timedelta(minutes=rng.randrange(-14 * 60, 14 * 60 + 1)))
        there = moment.astimezone(zone)
        year, week, day = moment.isocalendar()
        clock, fraction = f"{moment:%H:%M:%S}", f"{moment.microsecond:06}"
        date = f"{moment.year:04}-{moment:%m-%d}"
        forms = [
            f"{date} {clock}.{fraction}",
            f"{date}T{clock},{fraction}Z",
            f"{date.replace('-', '')}T{clock.replace(':', '')}.{fraction}",
            there.isoformat(sep=rng.choice(" T")),
            there.strftime(f"{there.year:04}%m%dt%H%M%S.%f%z"),
        ]
        if 1 <= year <= 9999:
            forms.append(f"{year:04}-W{week:02}-{day} {clock}.{fraction}")
        for form in forms:
            assert convert(column("time"), text(form))[0] == micros(moment), form


def test_what_is_taken_for_a_time_is_what_the_application_reads() -> None:
    """Whatever damage does to a text: it is a misfit, or the very instant that the application sees."""
    rng = random.Random(SEED)
    letters = "0123456789-:., TtZzW+x\u3000\n"
    taken = 0
    for _ in range(30_000):
        form = list(rng.choice(TIMES)[0])
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(form) + 1)
            form[at : at + rng.randrange(2)] = rng.choice(letters) if rng.random() < 0.8 else ""
        damaged = "".join(form)
        try:
            value, _ = convert(column("time"), text(damaged))
        except Misfit:
            continue
        taken += 1
        read = datetime.fromisoformat(damaged.upper())
        assert value == micros(read if read.tzinfo else read.replace(tzinfo=UTC)), damaged
    assert taken > 1_000


@pytest.mark.parametrize(
    ("stored", "expected", "form"),
    [
        (1_704_110_400, NOON, "epoch seconds"),
        (1_704_110_400.25, NOON.replace(microsecond=250_000), "epoch seconds"),
        (1_704_110_400.123456, NOON.replace(microsecond=123_456), "epoch seconds"),
        (1_704_110_400_017, NOON.replace(microsecond=17_000), "epoch milliseconds"),
        (1_704_110_400_017.5, NOON.replace(microsecond=17_500), "epoch milliseconds"),
        (10**8, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC), "epoch seconds"),
        (10**10 - 1, datetime(2286, 11, 20, 17, 46, 39, tzinfo=UTC), "epoch seconds"),
        (10**11, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC), "epoch milliseconds"),
    ],
)
def test_a_number_whose_unit_cannot_be_mistaken_is_a_time(
    stored: float, expected: datetime, form: str
) -> None:
    assert convert(column("time"), stored) == (micros(expected), form)


@pytest.mark.parametrize(
    "stored",
    [
        *(0, 1, -1, 20_240_101, 10**8 - 1, 10**10, 10**11 - 1, 10**13, 10**15, 2**63 - 1),
        *(2_460_310.5, 1e300, math.inf, -math.inf),
    ],
)
def test_a_number_that_may_mean_several_times_is_a_misfit(stored: float) -> None:
    assert "time" in reason(column("time"), stored)


def test_a_blob_is_no_value_of_any_kind() -> None:
    for kind in ("time", "float", "integer", "text", "json"):
        assert "blob" in (why := reason(column(kind), b"2024-01-01 00:00:00")) or "not a time" in why
    assert "neither 0 nor 1" in reason(column("boolean"), b"1")


def test_null_is_null_only_where_it_may_be() -> None:
    kinds: tuple[Kind, ...] = ("time", "float", "integer", "boolean", "json", "text")
    for kind in kinds:
        assert convert(column(kind, nullable=True), None) == (None, None)
        assert reason(column(kind), None) == "null where none may be"


def test_floats_stay_as_they_are_bit_for_bit() -> None:
    rng = random.Random(SEED)
    drawn = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(2_000)]
    edges = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, math.inf, -math.inf]
    for value in [*edges, *drawn]:
        given, form = convert(column("float"), value)
        assert isinstance(given, float)
        assert struct.pack("<d", given) == struct.pack("<d", value)
        assert form is None


def test_an_integer_becomes_the_float_that_equals_it_or_none() -> None:
    for value in (0, -7, 2**53, -(2**53), 2**53 + 2, 2**62):
        assert convert(column("float"), value) == (float(value), "integer in a float column")
        assert int(float(value)) == value
    for value in (2**53 + 1, -(2**53) - 1, 2**63 - 1):
        assert "no float holds exactly" in reason(column("float"), value)


@pytest.mark.parametrize("stored", [text("1.5"), text(""), text("n/a"), text("1e3")])
def test_a_text_is_no_number(stored: Text) -> None:
    assert "text in a number" in reason(column("float"), stored)
    assert "text in a number" in reason(column("integer"), stored)


@pytest.mark.parametrize(("bits", "edge"), [(32, 2**31), (64, 2**63)])
def test_an_integer_ends_where_its_column_does(bits: int, edge: int) -> None:
    wide = column("integer", bits=bits)
    for value in (edge - 1, -edge, 0):
        assert convert(wide, value) == (value, None)
    for value in (edge, -edge - 1):
        assert f"outside a {bits}-bit integer" in reason(wide, value)


def test_a_float_is_an_integer_only_where_it_is_whole() -> None:
    assert convert(column("integer"), 7.0) == (7, "integral float in an integer column")
    assert convert(column("integer"), -0.0) == (0, "integral float in an integer column")
    for value in (0.5, -7.25, math.inf, -math.inf):
        assert "not a whole number" in reason(column("integer"), value)
    assert "outside a 32-bit integer" in reason(column("integer", bits=32), 1e18)


def test_a_boolean_is_nothing_but_0_or_1() -> None:
    assert convert(column("boolean"), 0) == (False, None)
    assert convert(column("boolean"), 1) == (True, None)
    assert convert(column("boolean"), 1.0) == (True, "float in a boolean column")
    for value in (2, -1, 0.5, math.inf, text("1"), text("true")):
        assert "neither 0 nor 1" in reason(column("boolean"), value)


def test_a_text_is_what_it_is_up_to_its_length_in_characters() -> None:
    for value in ("", "BTC/USDT:USDT", "短期線", "a\nb\t", "é" * 50, "😀" * 50):
        assert convert(column("text", length=50), text(value)) == (value, None)
    assert "longer than 50 characters: 51" in reason(column("text", length=50), text("é" * 51))
    assert "a NUL character" in reason(column("text"), text("a\x00b"))
    assert "invalid UTF-8: at byte 1" in reason(column("text"), Text(b"a\xffb"))
    # A surrogate written as if it were a character.
    assert "invalid UTF-8" in reason(column("text"), Text(b"\xed\xa0\xbd"))
    assert "a number in a text" in reason(column("text"), 7)


JSON = [
    *(
        "null",
        "{}",
        "[]",
        '"x"',
        " 1 ",
        '{"a": [1, -0.0, 1e-400, 0.1]}',
        '"\\ud83d\\ude00"',
        '{"説明": null}',
    ),
    *("123456789012345678901234567890.123456789", '"\\uffff"', "[" * 200 + "1" + "]" * 200, '"\x7f"'),
    *("1e131071", "1e-16383", "1.5e-16382", "0." + "1" * 16_383, "-0", '{"": 1}'),
]
# What a server refuses, and why we do.
REFUSED = [
    ("", "broken JSON: Expecting value at character 0"),
    ("{'a': 1}", "at character 1"),
    ('{"a": 1,}', "broken JSON"),
    ("[1, 2", "broken JSON"),
    ("01", "broken JSON"),
    ("+1", "broken JSON"),
    (".5", "broken JSON"),
    ("\ufeff{}", "broken JSON"),
    ('"a\tb"', "broken JSON"),
    ('{"a": "b\\u0000"}', "\\u0000 in JSON"),
    ('{"a\\u0000": 1}', "\\u0000 in JSON"),
    ('["\\ud83d"]', "a lone surrogate"),
    ('{"\\ude00\\ud83d": 1}', "a lone surrogate"),
    ("1e131072", "beyond what jsonb stores"),
    ("12e131071", "beyond what jsonb stores"),
    ("1.5e-16383", "beyond what jsonb stores"),
    ("0e-20000", "beyond what jsonb stores"),
    ("1e99999999999999999999", "cannot be stored"),
]
# What a server takes, and changes or dies of.
CHANGED = [
    ('{"a": 1, "b": 2, "a": 1}', "a key more than once in a JSON object, of which jsonb keeps one: 'a'"),
    (
        '[{"x": {"a": 1, "\\u0061": 2}}]',
        "a key more than once in a JSON object, of which jsonb keeps one: 'a'",
    ),
    ("[" * 201 + "1" + "]" * 201, "nested more than 200 deep"),
    ('{"a":' * 201 + "1" + "}" * 201, "nested more than 200 deep"),
    ("[" * 100_000 + "]" * 100_000, "nested more than 200 deep"),
]


@pytest.mark.parametrize("stored", JSON, ids=repr)
def test_json_stays_as_it_is_written(stored: str) -> None:
    assert convert(column("json"), text(stored)) == (stored, None)


@pytest.mark.parametrize(("stored", "why"), REFUSED + CHANGED, ids=lambda each: repr(each[:40]))
def test_json_that_jsonb_refuses_or_would_change_is_a_misfit(stored: str, why: str) -> None:
    assert why in reason(column("json"), text(stored))


NO_JSON = [
    ("NaN", "null", [("$", "NaN")]),
    ('{"a": [Infinity, 1]}', '{"a": [null, 1]}', [("$.a[0]", "Infinity")]),
    ("-Infinity", "null", [("$", "-Infinity")]),
    (
        '{"NaN": "NaN", "x y": [{"q": NaN}]}',
        '{"NaN": "NaN", "x y": [{"q": null}]}',
        [('$["x y"][0].q', "NaN")],
    ),
    (
        '["\\"NaN", NaN, "\\\\", -Infinity]',
        '["\\"NaN", null, "\\\\", null]',
        [("$[1]", "NaN"), ("$[3]", "-Infinity")],
    ),
]


@pytest.mark.parametrize(("stored", "becomes", "places"), NO_JSON)
def test_what_is_no_number_in_json_becomes_null_and_its_places_are_told(
    stored: str, becomes: str, places: list[tuple[str, str]]
) -> None:
    assert convert(column("json"), text(stored)) == (becomes, CONSTANTS)
    assert list(constants(stored)) == places


def test_a_number_as_text_counts_only_where_that_is_allowed() -> None:
    allowed = Rules(text_numbers=True)
    for stored, number in (("1.5", 1.5), (" -7 ", -7.0), ("1e3", 1000.0), (".5", 0.5), ("+2.", 2.0)):
        assert "text in a number" in reason(column("float"), text(stored))
        assert convert(column("float"), text(stored), allowed) == (number, "text in a number column")
    assert convert(column("integer"), text("12"), allowed) == (12, "text in a number column")
    for stored in ("", "x", "1,5", "1_000", "0x10", "NaN", "inf", "1e999", "1 2", "\u0661"):
        with pytest.raises(Misfit, match="no number"):
            convert(column("float"), text(stored), allowed)
    with pytest.raises(Misfit, match="outside a 64-bit integer"):
        convert(column("integer"), text("9" * 20), allowed)
    with pytest.raises(Misfit, match="not a whole number"):
        convert(column("integer"), text("1.5"), allowed)


def test_an_epoch_number_is_a_time_only_where_it_names_a_microsecond() -> None:
    assert convert(column("time"), 1_704_067_200.123456) == (1_704_067_200_123_456, "epoch seconds")
    assert convert(column("time"), 1_704_067_200_123.5) == (1_704_067_200_123_500, "epoch milliseconds")
    between = math.nextafter(1_704_067_200.123456, math.inf)
    assert "finer than a microsecond" in reason(column("time"), between)


def test_a_server_refuses_the_json_that_we_refuse_and_no_other(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        for stored in JSON:
            assert connection.execute("SELECT %s::jsonb IS NOT NULL", [stored]).fetchone() == (True,)
        for stored, _ in REFUSED:
            with pytest.raises(psycopg.Error):
                connection.execute("SELECT %s::jsonb", [stored])


def test_json_that_sqlite_took_for_a_number_is_that_number() -> None:
    assert convert(column("json"), 7) == ("7", "number in a JSON column")
    assert convert(column("json"), 0.1) == ("0.1", "number in a JSON column")
    assert convert(column("json"), 1e300) == ("1e+300", "number in a JSON column")
    assert "no such number" in reason(column("json"), math.inf)
    assert "invalid UTF-8: at byte 2" in reason(column("json"), Text(b'["\xff"]'))


def test_numbers_in_json_are_exact() -> None:
    digits = "3.1415926535897932384626433832795028841971"
    assert str(parse_json(f'{{"a": [{digits}]}}')["a"][0]) == digits


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (None, "null"),
        (7, "7"),
        (0.5, "0.5"),
        (b"\x00\xff", "x'00ff'"),
        (b"\x00" * 100, "x'" + "0" * 80 + "…'"),
        (text("it's"), '"it\'s"'),
        (text("x" * 100), "'" + "x" * 80 + "…'"),
        (Text(b"B\xff"), "'B\\\\xff'"),
        (text("a\nb"), "'a\\nb'"),
    ],
)
def test_a_value_is_shown_in_one_short_line(stored: Stored, shown: str) -> None:
    assert show(stored) == shown

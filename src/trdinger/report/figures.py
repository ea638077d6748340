"""Numbers and texts as people read them.

Sizes are binary (1 MiB = 1,048,576 bytes), speeds decimal (1 MB/s = 1,000,000 bytes a second).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_ZEROS = re.compile(r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::(?!00)\d\d)?)(?::00)?(?:\.0+)?$")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format (direction marks too), surrogates, separators


def clean(text: object) -> str:
    r"""Text that moves no cursor and hides nothing: what is not printable becomes \x1b or \u202e."""
    return "".join(
        _visible(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in str(text)
    )


def count(number: int) -> str:
    """5556760 → "5,556,760"."""
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """1, "row" → "1 row"; 2, "row" → "2 rows"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(number: int) -> str:
    """61123456 → "61.1 M", for where the whole number stands beside it."""
    for unit, name in ((1_000_000_000, "G"), (1_000_000, "M")):
        if number >= unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number:,}"


def size(number: float) -> str:
    """1536 → "1.5 KiB"; under a KiB in bytes."""
    amount = float(number)
    for unit in _UNITS:
        if abs(amount) < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    if unit == _UNITS[0]:
        return counted(int(number), "byte")
    return f"{amount:.2f} {unit}" if abs(amount) < 10 else f"{amount:,.1f} {unit}"


def duration(seconds: float) -> str:
    """0.042 → "0.04 s", 9.26 → "9.3 s", 133 → "2 min 13 s", 3840 → "1 h 04 min"."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def age(seconds: float) -> str:
    """2592000 → "30 days", 3600 → "1 hour": in the largest unit that it is whole in."""
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % unit == 0 and seconds:
            return counted(int(seconds // unit), name)
    return counted(int(seconds), "second")


def clock(seconds: float) -> str:
    """83 → "1:23", 3723 → "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def rate(per_second: float, what: str = "rows") -> str:
    """132304.7 → "132,305 rows/s", 1.42 → "1.4 rows/s"."""
    return f"{per_second:,.0f} {what}/s" if per_second >= 10 else f"{per_second:.1f} {what}/s"


def speed(bytes_per_second: float) -> str:
    """14200000 → "14.2 MB/s"."""
    amount = bytes_per_second / 1e6
    return f"{amount:,.0f} MB/s" if amount >= 100 else f"{amount:.1f} MB/s"


def shrinking(before: int, after: int) -> str:
    """100, 25 → "4.0 times smaller"; empty when either is unknown."""
    if before <= 0 or after <= 0:
        return ""
    ratio = before / after
    if 0.95 < ratio < 1.05:
        return "about the same"
    return f"{ratio:.1f} times smaller" if ratio > 1 else f"{1 / ratio:.1f} times larger"


def moment(iso: str) -> str:
    """ "2025-01-02T03:04:05.6+00:00" → "2025-01-02 03:04 UTC"; what is no such time stays as it is."""
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return clean(iso)
    if found.tzinfo is None:
        return clean(iso)
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def stored_time(text: object) -> str:
    """A time as SQLite stores it without its zeros: "2024-03-01 00:00:00.000000" → "2024-03-01 00:00"."""
    return _ZEROS.sub(r"\1", clean(text))


def _visible(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")

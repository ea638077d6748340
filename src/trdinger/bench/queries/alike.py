"""Whether two answers are the same, value by value, in whatever form they come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trdinger.errors import ValuesDiffer

_ADDED = 1e-12  # of a sum of volumes: floats are added in another order


def require_alike(question: str, ours: Any, other: Any, who: str) -> None:
    """Raise ValuesDiffer unless both say the same."""
    one, two = _plain(ours), _plain(other)
    if hasattr(one, "columns"):
        difference = _frames(one, two, summed=question.startswith("days"))
    else:
        difference = _lists(one, two)
    if difference is not None:
        raise ValuesDiffer(
            f"The benchmark ends: to {question} the store answers otherwise than {who}: {difference}.",
            hint="This is a fault of ours; report it.",
        )


def rows(answer: Any) -> int:
    """How many rows, names or series an answer has."""
    return len(answer) if hasattr(answer, "__len__") else 1


def _plain(answer: Any) -> Any:
    if hasattr(answer, "to_pandas"):
        answer = answer.to_pandas()
    if hasattr(answer, "columns"):
        return _frame(answer)
    if isinstance(answer, datetime):
        return answer.replace(tzinfo=UTC) if answer.tzinfo is None else answer.astimezone(UTC)
    if isinstance(answer, list | tuple):
        return [_plain(one) for one in answer]
    return answer.to_pydatetime() if hasattr(answer, "to_pydatetime") else answer


def _frame(frame: Any) -> Any:
    """Rows by symbol and time in columns, times as microseconds since 1970 in UTC."""
    frame = frame.reset_index() if frame.index.name is not None else frame.reset_index(drop=True)
    frame = frame.drop(columns=["bars", "index"], errors="ignore")
    for name in frame.columns:
        if str(frame[name].dtype).startswith("datetime64"):
            moments = frame[name] if frame[name].dt.tz is not None else frame[name].dt.tz_localize("UTC")
            frame[name] = moments.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return frame.sort_values([name for name in ("symbol", "timestamp") if name in frame], ignore_index=True)


def _lists(one: list[Any], two: list[Any]) -> str | None:
    if one == two:
        return None
    left = next((each for each in one if each not in two), None)
    right = next((each for each in two if each not in one), None)
    return f"{left} where that has {right}, of {len(one)} and {len(two)}"


def _frames(one: Any, two: Any, *, summed: bool) -> str | None:
    if sorted(one.columns) != sorted(two.columns):
        return f"columns {sorted(one.columns)} and {sorted(two.columns)}"
    if len(one) != len(two):
        return f"{len(one)} and {len(two)} rows"
    for name in one.columns:
        left, right = one[name], two[name]
        same = (left == right) | (left.isna() & right.isna())
        if summed and name == "volume":
            same |= (left - right).abs() <= _ADDED * right.abs()
        if not same.all():
            at = int(same.to_numpy().argmin())
            return f"{name} of row {at} is {left[at]} and {right[at]}"
    return None

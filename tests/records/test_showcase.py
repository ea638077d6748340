"""What is shown, the log of collecting, and templates: the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from records.conftest import Ask
from trdinger.errors import UsageError
from trdinger.records.collection_log import CollectionLog
from trdinger.records.showcase import Put, Showcase
from trdinger.records.templates import Templates

AT = datetime(2024, 1, 1, tzinfo=UTC)


def _shown(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "category": "momentum", "indicators": ["RSI"], "parameters": {"n": 14},
            "gene_data": {}, **more}  # fmt: skip


def test_only_what_is_active_is_shown_in_the_order_asked_for(session: Session, ask: Ask) -> None:
    showcase = Showcase(session)
    put = showcase.put(
        [
            _shown("a", expected_return=1.0, risk_level="low", sharpe_ratio=2.0),
            _shown("b", expected_return=None, category="breakout"),
            _shown("c", expected_return=3.0, max_drawdown=0.5),
            _shown("d", expected_return=9.0, is_active=False),
            _shown("e", expected_return=2.0),
        ]
    )
    assert put == Put(5, 0)
    session.execute(sa.text("UPDATE strategy_showcase SET is_active = NULL WHERE name = 'e'"))

    def names(**asked: Any) -> str:
        return "".join(row.name for row in showcase.find(**asked))

    assert names() == "cab"
    assert names(descending=False) == "bac"
    assert names(limit=1, offset=1) == "a"
    assert names(category="momentum") == "ca"
    assert names(category="momentum", risk_level="low") == "a"
    assert names(risk_level="") == ""
    assert names(sort_by="name") == "cba"
    assert names(sort_by="indicators") == "abc"
    for no_column in ("metadata", "backtest_result", "nonsense"):
        assert names(sort_by=no_column) == "abc"
    assert showcase.statistics() == {
        "total_strategies": 3, "avg_return": 2.0, "avg_sharpe_ratio": 2.0, "avg_max_drawdown": 0.5,
        "category_distribution": {"breakout": 1, "momentum": 2},
        "risk_distribution": {"low": 1, "medium": 2},
    }  # fmt: skip
    ids = dict(ask("SELECT name, id FROM strategy_showcase"))
    shown = showcase.by_id(ids["a"])
    assert shown is not None
    assert list(shown.to_dict())[:6] == ["id", "name", "description", "category", "indicators", "parameters"]
    assert (shown.to_dict()["parameters"], shown.to_dict()["is_active"]) == ({"n": 14}, True)
    assert [showcase.by_id(ids[name]) for name in "de"] == [None, None]
    assert showcase.by_id(max(ids.values()) + 1) is None


def test_nothing_is_shown_where_there_is_nothing(session: Session) -> None:
    assert Showcase(session).statistics() == {
        "total_strategies": 0, "avg_return": 0, "avg_sharpe_ratio": 0, "avg_max_drawdown": 0,
        "category_distribution": {}, "risk_distribution": {},
    }  # fmt: skip


def test_one_of_the_same_name_is_overwritten(session: Session, ask: Ask) -> None:
    showcase = Showcase(session)
    assert showcase.put([_shown("a", expected_return=1.0), _shown("b", is_active=False)]) == Put(2, 0)
    session.execute(sa.text("UPDATE strategy_showcase SET updated_at = '2020-01-01 00:00:00'"))
    session.expire_all()
    assert showcase.put([_shown("b", category="breakout"), _shown("c"), _shown("c", win_rate=0.5)]) == Put(
        1, 2
    )
    found = ask(
        "SELECT name, category, expected_return, is_active, win_rate FROM strategy_showcase ORDER BY name"
    )
    assert found == [
        ("a", "momentum", 1.0, 1, None),
        ("b", "breakout", None, 0, None),
        ("c", "momentum", None, 1, 0.5),
    ]
    assert ask("SELECT name FROM strategy_showcase WHERE updated_at < '2021-01-01 00:00:00'") == [("a",)]
    for wrong, said in (
        ({"name": "x"}, "category"),
        (_shown("x", genes={}), "genes"),
        (_shown("x", id=1), "id"),
    ):
        with pytest.raises(UsageError, match=said):
            showcase.put([wrong])


def test_the_log_has_each_run_the_newest_first(session: Session, ask: Ask) -> None:
    log = CollectionLog(session)
    for n in range(4):
        row = log.add(
            symbol="BTC/USDT:USDT", timeframe="1d", start_time=AT, end_time=AT + timedelta(days=n),
            records_collected=n, status="error" if n else "success", error_message="も" * 600 if n else None,
        )  # fmt: skip
        session.execute(
            sa.text("UPDATE data_collection_log SET created_at = :at WHERE id = :id"),
            {"at": f"2024-01-0{(3, 1, 4, 2)[n]} 00:00:00", "id": row.id},
        )
    session.expire_all()
    assert [row.records_collected for row in log.recent()] == [2, 0, 3, 1]
    assert [row.records_collected for row in log.recent(2)] == [2, 0]
    found = ask("SELECT status, length(error_message) FROM data_collection_log ORDER BY id")
    assert found == [("success", None), ("error", 500), ("error", 500), ("error", 500)]


def test_templates_are_kept_by_name(session: Session) -> None:
    templates = Templates(session)
    assert templates.find() == []
    row = templates.save({"name": "a", "config_json": {"x": 1}, "category": "c"})
    templates.save({"name": "b", "config_json": [], "is_public": True})
    assert [one.name for one in templates.find(category="c")] == ["a"]
    assert [one.name for one in templates.find(public_only=True)] == ["b"]
    assert templates.by_name("a") is row
    with pytest.raises(UsageError, match="nam"):
        templates.save({"nam": "c"})
    assert templates.remove(row.id)
    assert not templates.remove(row.id)
    assert [one.name for one in templates.find()] == ["b"]

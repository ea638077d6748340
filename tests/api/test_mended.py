"""What the existing application answers wrongly, and what no recorded answer shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.conftest import FRONT_END, Asked, over

CANDLES = "/api/market-data/ohlcv"
XRP = "XRP/USDT:USDT"


def test_a_time_with_an_offset_is_converted(api: Asked) -> None:
    asked = {"symbol": "XRP/ETH", "timeframe": "1m", "limit": 1}
    tokyo = api(CANDLES, params=asked | {"start_date": "2019-10-12T09:00:00+09:00"}).json()
    assert tokyo["data"] == api(CANDLES, params=asked | {"start_date": "2019-10-12"}).json()["data"]


@pytest.mark.parametrize("path", ["/api/funding-rates", "/api/open-interest"])
def test_what_is_no_time_is_the_client_s_fault(api: Asked, path: str) -> None:
    answer = api(path, params={"symbol": XRP, "start_date": "12/01/2021"})
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(
        "中にエラーが発生しました: Invalid isoformat string: '12/01/2021'"
    )
    assert api(path, params={"symbol": XRP, "end_date": "9999-12-31T23:59:59.999999"}).json()["data"]["count"]
    assert api(path, params={"symbol": XRP, "end_date": "9999-12-31T23:59:59-01:00"}).status_code == 400


def test_one_backtest_is_answered(api: Asked) -> None:
    listed = api("/api/backtest/results", params={"limit": 1}).json()["results"][0]
    answer = api(f"/api/backtest/results/{listed['id']}")
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "result": listed, "error": None}


def test_ids_and_offsets_beyond_any_are_unknown(api: Asked) -> None:
    far = 10**30
    assert api(f"/api/backtest/results/{far}").status_code == 404
    assert api(f"/api/strategies/showcase/{far}").status_code == 404
    assert api(f"/api/auto-strategy/experiments/{far}/progress").status_code == 404
    assert api("/api/backtest/results", params={"offset": far}).json()["results"] == []
    assert api("/api/funding-rates", params={"symbol": XRP, "limit": far}).json()["data"]["count"] == 91


def test_the_showcase_sorts_by_columns_alone(api: Asked) -> None:
    for word in ("metadata", "backtest_result", "gene_data"):
        answer = api("/api/strategies/showcase", params={"sort_by": word})
        assert [row["id"] for row in answer.json()["strategies"]] in ([2, 4, 6, 8], [8, 6, 4, 2])
    statistics = api("/api/strategies/showcase/stats").json()["statistics"]
    assert statistics["total_strategies"] == 4
    assert statistics["avg_return"] == 12.0


def test_experiments_are_those_of_the_database(api: Asked) -> None:
    listed = api("/api/auto-strategy/experiments").json()
    assert [(row["id"], row["status"]) for row in listed] == [
        ("1", "completed"),
        ("2", "running"),
        ("3", "failed"),
        ("4", "completed"),
    ]
    assert listed[0]["start_time"] == 1748736007.0
    progress = api("/api/auto-strategy/experiments/2/progress").json()["progress"]
    assert progress["progress_percentage"] == 42.0
    assert (progress["current_generation"], progress["status"]) == (12, "running")
    result = api("/api/auto-strategy/experiments/1/results").json()["result"]
    assert result["best_strategy"]["indicators"][0]["type"] == "SMA"
    assert (result["generations_completed"], result["final_population_size"]) == (30, 50)
    for row, expected in (("2", 202), ("3", 409), ("5", 404)):
        assert api(f"/api/auto-strategy/experiments/{row}/results").status_code == expected
    for row, expected in (("1", 400), ("2", 501), ("5", 400)):
        assert api(f"/api/auto-strategy/experiments/{row}/stop", "POST").status_code == expected


def test_what_needs_an_engine_says_that_there_is_none(api: Asked) -> None:
    answer = api("/api/strategies/showcase/generate", "POST", json={"count": 2})
    assert answer.status_code == 501
    assert answer.json() == {
        "detail": "Generating strategies is not there yet: this server has no engine for it."
    }


def test_a_symbol_with_a_slash_is_reset_alone(undone: Asked) -> None:
    answer = undone("/api/data-reset/symbol/XRP%2FUSDT%3AUSDT", "DELETE").json()
    assert answer["deleted_counts"] == {"ohlcv": 2099, "funding_rates": 91, "open_interest": 100}
    assert answer["message"] == "シンボル 'XRP/USDT:USDT' のデータリセットが完了しました"
    assert undone("/api/data-reset/status").json()["data_counts"]["ohlcv"] == 11034 - 2099


def test_a_number_that_json_has_no_word_for_is_null(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'trdinger.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        )
        connection.exec_driver_sql(
            "INSERT INTO ohlcv_data VALUES ('A', '1h', '2025-01-01 00:00:00', 1, 9e999, 1, 1, 1)"
        )
    api = over(engine)
    data = api(CANDLES, params={"symbol": "A"}).json()["data"]
    assert data == [[1735689600000, 1.0, None, 1.0, 1.0, 1.0]]
    assert api("/health").json() == {"status": "ok", "app_name": "Trdinger Trading API", "version": "1.0.0"}
    unready = api("/ready")
    assert unready.status_code == 503
    assert "strategy_showcase" in unready.json()["reason"]
    failed = api("/api/strategies/showcase")
    assert failed.status_code == 500
    assert failed.json()["detail"].startswith("Internal server error: here answered: no such table")
    assert "SELECT" not in failed.text
    wrapped = api("/api/funding-rates", params={"symbol": "A"})
    assert wrapped.status_code == 500
    assert "ファンディングレートデータの取得中にエラーが発生しました" in wrapped.json()["detail"]
    engine.dispose()


def test_a_database_that_is_whole_is_ready(api: Asked) -> None:
    assert api("/ready").json() == {"status": "ready", "database": "here"}


@pytest.fixture
def nowhere() -> TestClient:
    """The API of a database that nobody asks."""
    return over(sa.create_engine("sqlite://")).client


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_a_foreign_name_in_host_is_refused(nowhere: TestClient, host: str) -> None:
    assert nowhere.get("/health", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST", "127.9.9.9:1"])
def test_this_machine_s_own_names_are_taken(nowhere: TestClient, host: str) -> None:
    assert nowhere.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:5173", 200),
        (FRONT_END, 200),
        ("http://front.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_origins_may_not_ask(nowhere: TestClient, origin: str, status: int) -> None:
    assert nowhere.get("/health", headers={"origin": origin}).status_code == status


def test_a_preflight_is_answered_as_before(nowhere: TestClient) -> None:
    asked = {"origin": FRONT_END, "access-control-request-method": "DELETE"}
    allowed = nowhere.options("/api/data-reset/all", headers=asked)
    assert (allowed.status_code, allowed.text) == (200, "OK")
    assert allowed.headers["access-control-allow-credentials"] == "true"
    refused = nowhere.options("/api/data-reset/all", headers=asked | {"origin": "https://evil.example"})
    assert (refused.status_code, refused.text) == (400, "Disallowed CORS origin")


def test_a_nul_in_what_is_asked_is_refused(nowhere: TestClient) -> None:
    assert nowhere.get(f"{CANDLES}?symbol=A%00").status_code == 400
    assert nowhere.get("/api/auto-strategy/experiments/%00/progress").status_code == 400

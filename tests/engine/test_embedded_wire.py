"""The embedded TimescaleDB's wire server, byte by byte: framing, COPY, turns, cancellation, session state."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from embedded_client import COPY_DONE, SYNC, RawClient, copy_data, extended, message, query

from engines import laid
from trdinger.engine.embedded import Running, running

PATIENCE = timedelta(seconds=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(laid(tmp_path_factory.mktemp("wire")), patience=PATIENCE) as server:
        with RawClient(server.port) as client:
            client.ask(query("CREATE TABLE bars (i bigint, word text)"))
        yield server


@pytest.fixture
def conninfo(server: Running) -> str:
    return server.url.replace("+psycopg", "")


@pytest.fixture(autouse=True)
def no_bars(server: Running) -> None:
    with RawClient(server.port) as client:
        assert client.ask(query("TRUNCATE bars")).errors == []


def count(client: RawClient) -> int:
    return int(client.ask(query("SELECT count(*) FROM bars")).rows[0][0] or -1)


def test_a_client_is_greeted_without_a_password_and_told_what_drivers_ask(server: Running) -> None:
    with RawClient(server.port) as client:
        assert client.greeting.kinds[0] == "R"
        assert client.greeting.kinds[-2:] == "KZ"
        assert client.greeting.kinds.count("S") >= 10


@pytest.mark.parametrize("code", [80877103, 80877104], ids=["ssl", "gss"])
def test_encryption_is_declined_in_one_byte(server: Running, code: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(struct.pack("!ii", 8, code))
        assert raw.recv(10) == b"N"


@pytest.mark.parametrize("cut", [1, 3, 7, 1000])
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_copy_does_not_care_where_the_network_cuts(server: Running, protocol: str, cut: int) -> None:
    rows = "".join(f"{i}\tword {i}\n" for i in range(300)).encode()
    cuts = sorted(random.Random(cut).sample(range(len(rows)), 20))
    pieces = [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    data = b"".join(copy_data(piece) for piece in pieces) + COPY_DONE
    with RawClient(server.port, cut=cut) as client:
        text = "COPY bars FROM STDIN"
        answer = client.ask(query(text) + data if protocol == "simple" else extended(text) + data + SYNC)
        assert answer.tags == ["COPY 300"]
        assert answer.status == "I"
        assert count(client) == 300


@pytest.mark.parametrize("size", [8191, 8192, 8193, 100_000, 3_000_000])
def test_a_statement_of_any_size_arrives_whole(server: Running, size: int) -> None:
    with RawClient(server.port) as client:
        answer = client.ask(query(f"SELECT length('{'x' * size}')"))
        assert answer.rows == [[str(size)]]


def test_a_pipeline_around_the_engines_buffer_is_answered_in_order(server: Running) -> None:
    statements = [f"SELECT {i}, '{'x' * (8192 - 40 - i)}'" for i in range(60)]
    with RawClient(server.port) as client:
        client.send(b"".join(query(text) for text in statements))
        assert [client.answer().rows[0][0] for _ in statements] == [str(i) for i in range(60)]


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_an_error_in_the_midst_of_a_copy_leaves_the_protocol_in_step(server: Running, protocol: str) -> None:
    data = b"".join(copy_data(f"{i}\tgood\n".encode()) for i in range(5000))
    data += copy_data(b"not a number\tbad\n")
    data += b"".join(copy_data(f"{i}\tafter\n".encode()) for i in range(5000)) + COPY_DONE
    text = "COPY bars FROM STDIN"
    with RawClient(server.port) as client:
        answer = client.ask(query(text) + data if protocol == "simple" else extended(text) + data + SYNC)
        assert answer.errors[0]["C"] == "22P02"
        assert answer.errors[0]["W"].startswith("COPY bars, line 5001")
        assert count(client) == 0
        assert client.ask(query("SELECT 'in step'")).rows == [["in step"]]


def test_a_copy_that_the_client_gives_up_leaves_nothing(server: Running) -> None:
    with RawClient(server.port) as client:
        gives_up = copy_data(b"1\tone\n") + message("f", b"changed my mind\0")
        answer = client.ask(query("COPY bars FROM STDIN") + gives_up)
        assert "changed my mind" in answer.errors[0]["M"]
        assert count(client) == 0


def test_a_client_that_breaks_the_copy_protocol_is_told_so(server: Running) -> None:
    with RawClient(server.port) as client:
        client.send(query("COPY bars FROM STDIN") + copy_data(b"1\tone\n") + query("SELECT 1"))
        assert "unexpected message type 0x51" in client.answer().errors[0]["M"]
        assert client.answer().rows == [["1"]]


def test_a_client_that_vanishes_in_a_copy_leaves_nothing_and_makes_room(server: Running) -> None:
    client = RawClient(server.port)
    client.send(query("COPY bars FROM STDIN") + copy_data(b"1\tone\n") + b"d\0\0\xff\xff half a mess")
    client.close()
    with RawClient(server.port) as after:
        assert count(after) == 0


def test_a_client_that_vanishes_frees_its_turn_whatever_it_was_computing(server: Running) -> None:
    client = RawClient(server.port)
    client.send(
        query(
            "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a + b < 0"
        )
    )
    time.sleep(0.2)
    client.close()
    with RawClient(server.port) as after:
        assert after.ask(query("SELECT 1")).rows == [["1"]]


def test_commits_sent_before_a_proper_goodbye_are_kept(server: Running) -> None:
    with RawClient(server.port) as client:
        client.send(query("INSERT INTO bars SELECT i, 'x' FROM generate_series(1, 50000) i") + message("X"))
    with RawClient(server.port) as after:
        assert count(after) == 50_000


def test_a_protocol_violation_ends_only_that_connection(server: Running) -> None:
    with RawClient(server.port) as client:
        client.send(b"\x01\0\0\0\x04")
        assert client.answer().errors[0]["C"] == "08P01"
    with RawClient(server.port) as after:
        assert after.ask(query("SELECT 1")).rows == [["1"]]


def test_who_waits_too_long_is_told_who_has_the_turn_and_since_when(server: Running) -> None:
    with RawClient(server.port, application_name="the other one"):
        begun = time.monotonic()
        with RawClient(server.port) as late:
            waited = time.monotonic() - begun
            (error,) = late.greeting.errors
    assert error["S"] == "FATAL"
    assert error["C"] == "53300"
    assert 'serves one connection at a time; "the other one" has held it since 20' in error["M"]
    assert "pool of one" in error["H"]
    assert 0.9 < waited < 3


def test_turns_are_given_in_the_order_of_arrival(server: Running) -> None:
    served: list[int] = []

    def take(number: int) -> None:
        with RawClient(server.port) as client:
            assert client.greeting.errors == []
            served.append(number)
            client.send(message("X"))

    with RawClient(server.port):
        threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert served == list(range(5))


def cancelled(connection: psycopg.Connection, statement: str) -> float:
    timer = threading.Timer(0.2, connection.cancel_safe)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled, match="due to user request"):
        connection.execute(statement)
    timer.join()
    return time.monotonic() - begun


def test_a_statement_that_sleeps_is_cancelled(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        assert cancelled(connection, "SELECT pg_sleep(20)") < 2


def test_a_statement_that_only_computes_is_cancelled(conninfo: str) -> None:
    """It never leaves WebAssembly: only shared memory reaches it (wire/interruptible.mjs)."""
    product = "SELECT count(*) FROM generate_series(1, 50000) a, generate_series(1, 50000) b WHERE a + b < 0"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        assert cancelled(connection, product) < 2
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_copy_that_waits_for_data_is_cancelled(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        with (  # noqa: PT012
            pytest.raises(psycopg.errors.QueryCanceled),
            connection.cursor().copy("COPY bars FROM STDIN") as copy,
        ):
            copy.write("1\tone\n")
            time.sleep(0.1)
            connection.cancel_safe()
        assert connection.execute("SELECT count(*) FROM bars").fetchone() == (0,)


def test_a_stranger_cannot_cancel(server: Running) -> None:
    with RawClient(server.port) as client:
        client.send(query("SELECT pg_sleep(0.4)"))
        with socket.create_connection(("127.0.0.1", server.port)) as stranger:
            stranger.sendall(struct.pack("!iiii", 16, 80877102, client.serial, 12345))
            assert stranger.recv(1) == b""
        assert client.answer().errors == []


def test_statement_timeout_holds(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '200ms'")
        begun = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
            connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - begun < 2
        assert connection.execute("SELECT 1").fetchone() == (1,)


LEFT_BEHIND = """
SET TimeZone = 'Asia/Tokyo'; SET work_mem = '1MB'; SET application_name = 'ghost';
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;
PREPARE ghost AS SELECT 1; LISTEN ghost; CREATE TEMP TABLE ghost (i int);
CREATE ROLE actor; SET SESSION AUTHORIZATION actor; RESET SESSION AUTHORIZATION;
SELECT pg_advisory_lock(7); BEGIN; DECLARE ghost CURSOR FOR SELECT 1; INSERT INTO bars VALUES (1, 'ghost');
SET LOCAL ROLE actor
"""
FOUND = """
SELECT current_setting('TimeZone'), current_setting('work_mem'), current_setting('application_name'),
       current_user,
       (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
       (SELECT count(*) FROM pg_class WHERE relname = 'ghost'),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
       (SELECT count(*) FROM pg_cursors WHERE name = 'ghost'), (SELECT count(*) FROM bars)
"""


def test_nothing_of_a_session_reaches_the_next(server: Running) -> None:
    with RawClient(server.port) as client:
        assert client.ask(query(LEFT_BEHIND)).errors == []
        client.send(message("P", b"half\0SELEC 1\0\0\0"))  # and it goes while the engine skips to a Sync
    with RawClient(server.port) as after:
        assert after.ask(query(FOUND)).rows == [["UTC", "4MB", "", "postgres", *["0"] * 6]]
        after.ask(query("DROP ROLE actor"))


def test_the_databases_own_settings_reach_every_new_session(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("ALTER DATABASE postgres SET timezone TO 'Europe/Berlin'")
    try:
        with psycopg.connect(conninfo) as connection:
            assert str(connection.info.timezone) == "Europe/Berlin"
        with psycopg.connect(conninfo, options="-c timezone=Asia/Seoul") as connection:
            assert str(connection.info.timezone) == "Asia/Seoul"
    finally:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("ALTER DATABASE postgres RESET timezone")


@pytest.mark.parametrize(
    ("parameters", "sqlstate"),
    [
        ({"database": "elsewhere"}, "3D000"),
        ({"user": "nobody", "database": "postgres"}, "28000"),
        ({"options": "-c no_such_setting=1"}, "42704"),
        ({"options": "-f"}, "08P01"),
        ({"replication": "database"}, "08P01"),
    ],
)
def test_what_a_client_asks_for_in_vain_is_refused_in_words(
    server: Running, parameters: dict[str, str], sqlstate: str
) -> None:
    with RawClient(server.port, **parameters) as client:
        (error,) = client.greeting.errors
        assert (error["S"], error["C"]) == ("FATAL", sqlstate)


def test_a_slow_reader_holds_the_engine_back_and_gets_everything(server: Running) -> None:
    with RawClient(server.port) as client:
        client.send(query("SELECT i, repeat('x', 1000) FROM generate_series(1, 40000) i"))
        time.sleep(0.5)
        assert resident(server) < 1400
        answer = client.answer()
        assert len(answer.rows) == 40_000


def resident(server: Running) -> int:
    """MiB; 0 where the system does not say."""
    path = Path(f"/proc/{server.pid}/status")
    if not path.exists():
        return 0
    line = next(line for line in path.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024

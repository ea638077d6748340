"""A COPY over somebody else's connection gives every byte, and an error within it is the server's own."""

from __future__ import annotations

import psycopg
import psycopg2
import pytest

from trdinger.engine.borrowed import Borrowed
from trdinger.engine.connect import Database

ROWS = "SELECT n, repeat('é', mod(n, 7)) FROM generate_series(1, 30000) AS n"


def test_what_a_copy_gives_is_whole_over_both_drivers(database: Database) -> None:
    wanted = "".join(f"{n}\t{'é' * (n % 7)}\n" for n in range(1, 30_001) if n > 5).encode()
    statement = f"COPY (SELECT * FROM ({ROWS}) AS r (n, t) WHERE n > %s AND t <> %s) TO STDOUT"
    for connect in (psycopg.connect, psycopg2.connect):
        connection = connect(database.conninfo)
        found = Borrowed(connection).copy_out(statement, (5, "it's 100%"))
        assert bytes(found) == wanted
        assert Borrowed(connection).copy_out("COPY (SELECT 1 WHERE false) TO STDOUT") == b""
        with pytest.raises((psycopg.errors.DivisionByZero, psycopg2.errors.DivisionByZero)):
            Borrowed(connection).copy_out(f"COPY (SELECT 1 / (n - 20000) FROM ({ROWS}) AS r (n)) TO STDOUT")
        connection.rollback()
        assert Borrowed(connection).rows("SELECT 1") == [(1,)]
        connection.close()

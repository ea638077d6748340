"""Addresses: what is accepted, what each prints, and that no refusal repeats a password."""

from __future__ import annotations

import pickle
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from trdinger.engine.address import Address, parse_address, postgresql_address
from trdinger.engine.connect import Database
from trdinger.errors import UsageError

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user@host:5433/base",
        "postgres://user@host:5433/base",
        "postgresql+psycopg://user@host:5433/base",
        "postgresql+psycopg2://user@host:5433/base",
    ],
)
def test_every_spelling_of_postgresql_becomes_our_driver(text: str) -> None:
    address = parse_address(text)
    assert address.kind == "postgresql"
    assert address.url == URL.create("postgresql+psycopg", "user", None, "host", 5433, "base")
    assert str(address) == "postgresql://user@host:5433/base"


@pytest.mark.parametrize(
    ("text", "database"),
    [
        ("sqlite:///trdinger.db", "trdinger.db"),
        ("sqlite:////var/lib/trdinger.db", "/var/lib/trdinger.db"),
        ("sqlite+pysqlite:///./a.db", "./a.db"),
    ],
)
def test_sqlite_files_keep_their_path(text: str, database: str) -> None:
    address = parse_address(text)
    assert address.kind == "sqlite"
    assert address.url is not None
    assert address.url.database == database


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ("embedded", None),
        ("embedded:", None),
        ("embedded:here/there", Path("here/there")),
        ("embedded:~/prices", Path.home() / "prices"),
        ("embedded:/a b", Path("/a b")),
    ],
)
def test_an_embedded_address_may_name_its_directory(text: str, directory: Path | None) -> None:
    assert parse_address(text) == Address(kind="embedded", directory=directory)


def test_a_bare_embedded_means_the_directory_that_was_configured() -> None:
    assert parse_address("embedded:", embedded=Path("/configured")).directory == Path("/configured")
    assert parse_address("embedded:/named", embedded=Path("/configured")).directory == Path("/named")


def test_an_address_prints_without_its_password() -> None:
    address = parse_address(f"postgresql://user:{SECRET}@host/base")
    for shown in (str(address), repr(address), f"{address}", str(address.url)):
        assert SECRET not in shown
    assert SECRET not in str(Database(address.url or URL.create("postgresql")))
    assert SECRET not in repr(Database(address.url or URL.create("postgresql")))


def test_a_password_in_the_query_is_hidden_too() -> None:
    address = parse_address(f"postgresql://user@host/base?password={SECRET}&sslmode=disable")
    for shown in (str(address), repr(address), repr(Database(address.url or URL.create("postgresql")))):
        assert SECRET not in shown
    assert psycopg.conninfo.conninfo_to_dict(_conninfo(address))["password"] == SECRET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "trdinger.db",
        f"user:{SECRET}@host/base",
        f"//user:{SECRET}@host/base",
        f"postgresql://user:{SECRET}@host:port/base",
        f"postgresql://user:{SECRET}@host:99999/base",
        f"postgresql://user:{SECRET}@host:0/base",
        f"postgresql://user:{SECRET}@host:5432",
        f"postgresql://user:{SECRET}@host:5432/",
        f"postgresql:/user:{SECRET}@host/base",
        f"{SECRET}://user@host/base",
        f"mysql://user:{SECRET}@host/base",
        f"mysql+{SECRET}://user:{SECRET}@host/base",
        f"postgresql://user:a@{SECRET}@host/base",
        f"postgresql://user:a@b/{SECRET}@host/base",
        f"postgresql://user:a@b?{SECRET}=@host/base",
        f"sqlite://user:{SECRET}@host/base",
        f"postgresql://user:{SECRET}@[::1/base",
        f"postgresql://user:{SECRET}@host/base?no_such_option={SECRET}",
        f"postgresql://user@host/base?sslpassword={SECRET}",
        f"postgresql://user:{SECRET}@host/base?dbname=another",
        f"postgresql://user@host/base?password={SECRET}&password={SECRET}",
    ],
)
def test_a_bad_address_is_refused_with_a_hint_and_never_echoed(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value)
    assert refused.value.hint
    assert refused.value.__cause__ is None
    again = pickle.loads(pickle.dumps(refused.value))
    assert (type(again), str(again)) == (UsageError, str(refused.value))


@pytest.mark.parametrize("password", [SECRET, "p@ss:w/rd ?#%41é", "'\"\\", " ", "a+b", "%20", ""])
def test_no_character_of_a_password_is_lost_on_the_way_to_the_driver(password: str) -> None:
    parts = postgresql_address(host="host", port=5432, database="base", user="a user", password=password)
    assert parts.url is not None
    written = parse_address(parts.url.render_as_string(hide_password=False))
    for address in (parts, written):
        said = psycopg.conninfo.conninfo_to_dict(_conninfo(address))
        assert (said.get("password", ""), said["user"]) == (password, "a user")


def test_an_address_from_parts_needs_no_password() -> None:
    address = postgresql_address(host="::1", port=5432, database="base", user="user", password=None)
    assert str(address) == "postgresql://user@[::1]:5432/base"
    assert "password" not in psycopg.conninfo.conninfo_to_dict(_conninfo(address))


def _conninfo(address: Address) -> str:
    assert address.url is not None
    return Database(address.url).conninfo

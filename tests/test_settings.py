"""Settings: where each comes from, which wins, and that a secret is never shown."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from trdinger import settings
from trdinger.engine.connect import ConnectionOptions
from trdinger.errors import SettingsError, UsageError

SECRET = "hunter2"


def test_without_any_setting_the_application_uses_its_sqlite_file() -> None:
    loaded = settings.load()
    assert loaded.configured() is None
    assert str(loaded.application()) == "sqlite:///./trdinger.db"
    assert loaded.target(None).kind == "embedded"
    assert loaded.options == ConnectionOptions()


def test_database_url_wins_over_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST", "from-parts")
    assert "from-parts" in str(settings.load().configured())
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@from-url/base")
    assert str(settings.load().configured()) == "postgresql://user@from-url/base"


def test_the_parts_make_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DB_HOST": "db",
        "DB_PORT": "5433",
        "DB_NAME": "prices",
        "DB_USER": "trader",
        "DB_PASSWORD": "p@ss:w/rd ?#%41é",
    }.items():
        monkeypatch.setenv(name, value)
    configured = settings.load().configured()
    assert configured is not None
    assert configured.url is not None
    assert configured.url.password == "p@ss:w/rd ?#%41é"
    assert str(configured) == "postgresql://trader:***@db:5433/prices"


def test_parts_without_a_host_name_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_NAME", "prices")
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    assert settings.load().configured() is None


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DB_HOST=from-file\nDB_NAME=from-file\nUNKNOWN=ignored\n")
    monkeypatch.setenv("DB_NAME", "from-environment")
    assert str(settings.load().configured()) == "postgresql://postgres@from-file:5432/from-environment"


def test_another_env_file_can_be_named(tmp_path: Path) -> None:
    Path(".env").write_text("DB_HOST=from-here\n")
    named = tmp_path / "production.env"
    named.write_text("DB_HOST=from-there\n")
    assert "from-there" in str(settings.load(named).configured())


@pytest.mark.parametrize("name", ["db_host", "Db_Host", "DB_HOST"])
def test_names_are_read_in_any_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "server")
    assert "server" in str(settings.load().configured())


@pytest.mark.parametrize("name", ["DATABASE_URL", "DB_HOST", "DB_PASSWORD", "TRDINGER_EMBEDDED_DIRECTORY"])
def test_an_empty_setting_is_an_unset_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    loaded = settings.load()
    assert loaded.configured() is None
    assert loaded.target(None).directory is None


def test_pool_and_timeouts_reach_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DB_POOL_SIZE": "3",
        "DB_MAX_OVERFLOW": "4",
        "DB_POOL_TIMEOUT": "5.5",
        "DB_POOL_RECYCLE": "-1",
        "DB_POOL_PRE_PING": "false",
        "DB_CONNECT_TIMEOUT": "7",
        "DB_STATEMENT_TIMEOUT": "8000",
    }.items():
        monkeypatch.setenv(name, value)
    assert settings.load().options == ConnectionOptions(
        pool_size=3,
        max_overflow=4,
        pool_timeout=5.5,
        pool_recycle=-1,
        pre_ping=False,
        connect_timeout=7,
        statement_timeout=8000,
    )


def test_every_wrong_setting_is_named_at_once_and_none_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PORT", SECRET)
    monkeypatch.setenv("DB_POOL_SIZE", "0")
    monkeypatch.setenv("DB_POOL_PRE_PING", SECRET)
    with pytest.raises(SettingsError) as refused:
        settings.load()
    said = str(refused.value)
    assert all(name in said for name in ("DB_PORT", "DB_POOL_SIZE", "DB_POOL_PRE_PING"))
    assert SECRET not in said
    assert refused.value.exit_code == 3


def test_a_wrong_database_url_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"mysql://user:{SECRET}@host/base")
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        settings.load().configured()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("address", ["mysql://host/base", "nothing"])
def test_a_wrong_default_file_is_named_by_its_own_setting(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRDINGER_SQLITE_URL", address)
    with pytest.raises(SettingsError, match="TRDINGER_SQLITE_URL"):
        settings.load().application()


def test_secrets_are_in_no_form_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://user:{SECRET}@host/base")
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    loaded = settings.load()
    for shown in (str(loaded), repr(loaded), str(loaded.model_dump()), loaded.model_dump_json()):
        assert SECRET not in shown
    assert SECRET not in str(loaded.configured()) + repr(loaded.configured())


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = settings.load()
    with pytest.raises(ValueError, match="frozen"):
        loaded.db_host = "another"


class TestTarget:
    """Where a move goes."""

    def test_the_named_one_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://user@configured/base")
        assert "named" in str(settings.load().target("postgresql://user@named/base"))

    def test_else_the_configured_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://user@configured/base")
        assert "configured" in str(settings.load().target(None))

    def test_else_the_embedded_one_even_where_the_application_uses_sqlite(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "sqlite:///trdinger.db")
        monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", str(tmp_path))
        target = settings.load().target(None)
        assert (target.kind, target.directory) == ("embedded", tmp_path)

    def test_a_bare_embedded_means_the_configured_directory(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", str(tmp_path))
        assert settings.load().target("embedded:").directory == tmp_path

    def test_a_configured_directory_may_start_at_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", "~/prices")
        assert settings.load().target(None).directory == Path.home() / "prices"

    def test_a_wrong_name_is_the_arguments_fault(self) -> None:
        with pytest.raises(UsageError):
            settings.load().target("nowhere")


def test_an_env_file_that_is_named_but_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="absent"):
        settings.load(tmp_path / "absent.env")


def test_a_settings_error_survives_the_way_between_processes() -> None:
    error = SettingsError("A.", hint="B.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.hint, again.exit_code) == ("A.", "B.", 3)

"""Settings, from the environment and from `.env`: the only room that reads either.

Names and defaults are those of the existing application where it has them. The
environment wins over `.env`; unknown names are ignored, an empty value is an unset one, and
names are case-insensitive.
A password is a secret: it prints as stars. Values leave this room as plain, frozen data.
"""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from trdinger.declaration import FUNDING_RATE, OHLCV, OPEN_INTEREST, REFRESH_WINDOW, Lifecycle
from trdinger.engine.address import Address, parse_address, postgresql_address
from trdinger.engine.connect import ConnectionOptions
from trdinger.errors import SettingsError, UsageError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
_ENDLESS = {"never", "forever"}


def age(text: str) -> timedelta | None:
    """An age as people write it: 90d, 12h, 2w, 3y; None for `never` and `forever`. Raises UsageError."""
    if text in _ENDLESS:
        return None
    form = re.fullmatch(r"([1-9]\d{0,4})([hdwy])", text, re.ASCII)
    if form is None:
        raise UsageError("This is no age.", hint="A number and h, d, w or y: 12h, 90d, 2w, 3y; or forever.")
    return int(form[1]) * _UNITS[form[2]]


def _said(given: timedelta | None, endless: str) -> str:
    return endless if given is None else f"{given.days}d"


class Settings(BaseSettings):
    """Every setting, with its default and what it is for."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="The database: postgresql://…, sqlite:///…, or embedded: for the embedded TimescaleDB",
    )
    db_host: str | None = Field(default=None, description="Server name; used when DATABASE_URL is not set")
    db_port: int = Field(default=5432, ge=1, le=65535, description="Server port")
    db_name: str = Field(default="trdinger", description="Database name")
    db_user: str = Field(default="postgres", description="User")
    db_password: SecretStr | None = Field(default=None, description="Password")

    db_pool_size: int = Field(default=10, ge=1, description="Connections that the pool keeps")
    db_max_overflow: int = Field(default=20, ge=0, description="Connections beyond the pool under load")
    db_pool_timeout: float = Field(default=30.0, gt=0, description="Seconds to wait for a pooled connection")
    db_pool_recycle: int = Field(
        default=1800, ge=-1, description="Seconds after which a connection is renewed; -1 never"
    )
    db_pool_pre_ping: bool = Field(default=True, description="Test a pooled connection before handing it out")
    db_connect_timeout: int = Field(default=10, ge=1, description="Seconds to wait for the server to answer")
    db_statement_timeout: int = Field(
        default=0, ge=0, description="Milliseconds after which the server ends a statement; 0 never"
    )

    trdinger_embedded_directory: Path | None = Field(
        default=None,
        description="Data directory of the embedded TimescaleDB; default: the user's data folder",
    )
    trdinger_cache_megabytes: int = Field(
        default=1024,
        ge=0,
        description="Disk space (MiB) for months that were read, to read them again faster; 0 for no cache",
    )
    trdinger_cache_directory: Path | None = Field(
        default=None, description="Where these months are kept; default: the user's cache folder"
    )
    sqlite_default: str = Field(
        default="sqlite:///./trdinger.db",
        alias="TRDINGER_SQLITE_URL",
        description="The application's database when nothing else is set",
    )

    trdinger_candles_compress_after: str = Field(
        default=_said(OHLCV.compress_after, "never"),
        description="Age at which chunks of candles are compressed: 12h, 30d, 2w, 3y, or never",
    )
    trdinger_funding_rates_compress_after: str = Field(
        default=_said(FUNDING_RATE.compress_after, "never"), description="The same for funding rates"
    )
    trdinger_open_interest_compress_after: str = Field(
        default=_said(OPEN_INTEREST.compress_after, "never"), description="The same for open interest"
    )
    trdinger_candles_keep: str = Field(
        default=_said(OHLCV.keep, "forever"),
        description="How long candles are kept before they go into the archive: 400d, 3y, or forever",
    )
    trdinger_funding_rates_keep: str = Field(
        default=_said(FUNDING_RATE.keep, "forever"), description="The same for funding rates"
    )
    trdinger_open_interest_keep: str = Field(
        default=_said(OPEN_INTEREST.keep, "forever"), description="The same for open interest"
    )
    trdinger_refresh_window: str = Field(
        default=_said(REFRESH_WINDOW, "never"),
        description="How far back scheduled refreshes of the aggregates look for late and corrected candles",
    )
    trdinger_archive: str | None = Field(
        default=None, description="Folder of the archive, or a URL that fsspec knows: s3://bucket/folder"
    )

    app_name: str = Field(default="Trdinger Trading API", description="What the API calls itself")
    app_version: str = Field(default="1.0.0", description="The version that the API tells at /health")
    cors_origins: str = Field(
        default='["http://localhost:3000"]',
        description="Origins whose pages may ask the API besides this machine's own, a JSON list",
    )

    @field_validator(
        "trdinger_candles_compress_after",
        "trdinger_funding_rates_compress_after",
        "trdinger_open_interest_compress_after",
        "trdinger_candles_keep",
        "trdinger_funding_rates_keep",
        "trdinger_open_interest_keep",
        "trdinger_refresh_window",
    )
    @classmethod
    def _is_an_age(cls, text: str) -> str:
        try:
            age(text)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """What becomes of rows as they age. Raises SettingsError where the ages do not go together."""
        try:
            return Lifecycle(
                {
                    OHLCV.table: age(self.trdinger_candles_compress_after),
                    FUNDING_RATE.table: age(self.trdinger_funding_rates_compress_after),
                    OPEN_INTEREST.table: age(self.trdinger_open_interest_compress_after),
                },
                {
                    OHLCV.table: age(self.trdinger_candles_keep),
                    FUNDING_RATE.table: age(self.trdinger_funding_rates_keep),
                    OPEN_INTEREST.table: age(self.trdinger_open_interest_keep),
                },
                age(self.trdinger_refresh_window) or REFRESH_WINDOW,
            )
        except UsageError as error:
            raise SettingsError(
                f"TRDINGER_CANDLES_KEEP and TRDINGER_REFRESH_WINDOW: {error.message}", hint=error.hint
            ) from None

    @field_validator("cors_origins")
    @classmethod
    def _is_a_list(cls, text: str) -> str:
        try:
            origins = json.loads(text)
        except ValueError:
            origins = None
        if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
            raise ValueError('give a JSON list: ["https://front.example"]')
        return text

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may ask the API."""
        return tuple(json.loads(self.cors_origins))

    @cached_property
    def options(self) -> ConnectionOptions:
        """Pool and timeouts as plain values."""
        return ConnectionOptions(
            pool_size=self.db_pool_size,
            max_overflow=self.db_max_overflow,
            pool_timeout=self.db_pool_timeout,
            pool_recycle=self.db_pool_recycle,
            pre_ping=self.db_pool_pre_ping,
            connect_timeout=self.db_connect_timeout,
            statement_timeout=self.db_statement_timeout,
        )

    def configured(self) -> Address | None:
        """The database that DATABASE_URL, or else DB_HOST and its companions, names; None if neither does."""
        if self.database_url is not None:
            return self._parse("DATABASE_URL", self.database_url.get_secret_value())
        if self.db_host is not None:
            return postgresql_address(
                host=self.db_host,
                port=self.db_port,
                database=self.db_name,
                user=self.db_user,
                password=self.db_password.get_secret_value() if self.db_password else None,
            )
        return None

    def application(self) -> Address:
        """The application's database: the configured one, else SQLite in the working directory."""
        return self.configured() or self._parse("TRDINGER_SQLITE_URL", self.sqlite_default)

    def target(self, named: str | None) -> Address:
        """Where a move goes: the one named, else the configured one unless SQLite, else the embedded one."""
        if named is not None:
            return parse_address(named, embedded=self.embedded_directory)
        configured = self.configured()
        if configured is not None and configured.kind != "sqlite":
            return configured
        return Address(kind="embedded", directory=self.embedded_directory)

    @property
    def cache_folder(self) -> Path:
        """Where months that were read are kept."""
        chosen = self.trdinger_cache_directory
        return (chosen.expanduser() if chosen else user_cache_path("trdinger") / "months").absolute()

    @property
    def cache_bytes(self) -> int:
        """How much room they may take; 0 for no cache."""
        return self.trdinger_cache_megabytes << 20

    @property
    def embedded_directory(self) -> Path | None:
        """Where the embedded TimescaleDB keeps its data; None for its own default."""
        chosen = self.trdinger_embedded_directory
        return chosen.expanduser() if chosen else None

    def _parse(self, setting: str, text: str) -> Address:
        try:
            return parse_address(text, embedded=self.embedded_directory)
        except UsageError as error:
            raise SettingsError(f"{setting}: {error.message}", hint=error.hint) from None


def load(env_file: Path | None = None) -> Settings:
    """Read the settings once. Raises SettingsError, which names each wrong setting and never its value.

    env_file: read instead of `.env`, and then it must be there.
    """
    if env_file is not None and not env_file.is_file():
        raise SettingsError(f"There is no settings file {env_file}.", hint="Name another, or leave it out.")
    try:
        if env_file is None:
            return Settings()
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(
            f"Settings cannot be used: {wrong}.", hint="Mend them in the environment or in .env."
        ) from None


def environment(**more: str) -> dict[str, str]:
    """The environment of a program that we start: our own, and `more` (a secret, say) on top."""
    return {**os.environ, **more}

"""The deployment files: valid by the compose specification's schema, and safe where it counts.

No Docker engine is needed: the schema comes with check-jsonschema.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from trdinger.settings import Settings

schemas = pytest.importorskip(
    "check_jsonschema.builtin_schemas", reason="check-jsonschema is not installed (make install)"
)

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = ["docker-compose.yml", "docker-compose.dev.yml"]
SCHEMA = schemas.get_builtin_schema("vendor.compose-spec")


def compose(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / name).read_text()))


def services(name: str) -> dict[str, Any]:
    return dict(compose(name)["services"])


def settings_of(service: dict[str, Any]) -> dict[str, str]:
    """The server's settings that its command line gives."""
    command = service["command"]
    assert command[0] == "postgres"
    assert command[1::2] == ["-c"] * (len(command) // 2)
    return dict(pair.split("=", 1) for pair in command[2::2])


@pytest.mark.parametrize("name", FILES)
def test_it_is_valid_by_the_compose_specification(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(compose(name))


def test_the_schema_itself_refuses_a_mistake() -> None:
    broken = compose(FILES[0])
    broken["services"]["timescaledb"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


@pytest.mark.parametrize("name", FILES)
class TestEveryServer:
    def test_its_image_is_pinned_exactly(self, name: str) -> None:
        assert re.fullmatch(
            r"timescale/timescaledb:\d+\.\d+\.\d+-pg\d+", services(name)["timescaledb"]["image"]
        )

    def test_it_is_watched_bounded_and_kept(self, name: str) -> None:
        server = services(name)["timescaledb"]
        assert "pg_isready" in server["healthcheck"]["test"][1]
        assert server["deploy"]["resources"]["limits"]["memory"]
        assert server["shm_size"]
        assert server["stop_grace_period"]
        assert "no-new-privileges:true" in server["security_opt"]
        assert set(server["logging"]["options"]) == {"max-size", "max-file"}
        (volume,) = server["volumes"]
        folder, _, inside = volume.partition(":")
        assert folder in compose(name)["volumes"]
        assert inside == "/var/lib/postgresql/data"

    def test_only_this_machine_reaches_it(self, name: str) -> None:
        (port,) = services(name)["timescaledb"]["ports"]
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:5432", port)

    def test_its_settings_are_ones(self, name: str) -> None:
        assert settings_of(services(name)["timescaledb"]).keys() >= {"timezone", "shared_buffers"}


class TestProduction:
    def test_a_password_is_required_everywhere_and_stands_nowhere(self) -> None:
        text = (REPOSITORY / FILES[0]).read_text()
        uses = re.findall(r"\$\{DB_PASSWORD[^}]*\}", text)
        assert len(uses) == 2
        assert all(use.startswith("${DB_PASSWORD:?") for use in uses)
        assert "trust" not in text
        assert services(FILES[0])["timescaledb"]["environment"]["POSTGRES_PASSWORD"] == uses[0]

    def test_it_keeps_what_it_acknowledged(self) -> None:
        settings = settings_of(services(FILES[0])["timescaledb"])
        assert not {"fsync", "synchronous_commit", "full_page_writes"} & set(settings)
        assert settings["timezone"] == "UTC"
        assert services(FILES[0])["timescaledb"]["restart"] == "unless-stopped"

    def test_the_workers_fit(self) -> None:
        settings = settings_of(services(FILES[0])["timescaledb"])
        needed = (
            3 + int(settings["timescaledb.max_background_workers"]) + int(settings["max_parallel_workers"])
        )
        assert int(settings["max_worker_processes"]) == needed

    def test_the_move_waits_for_a_healthy_server_and_may_do_little(self) -> None:
        move = services(FILES[0])["trdinger"]
        assert move["profiles"] == ["move"]
        assert move["depends_on"]["timescaledb"]["condition"] == "service_healthy"
        assert move["read_only"] is True
        assert move["cap_drop"] == ["ALL"]
        fields = {name.upper() for name in Settings.model_fields}
        assert set(move["environment"]) <= fields


class TestDevelopment:
    def test_its_default_password_says_what_it_is(self) -> None:
        text = (REPOSITORY / FILES[1]).read_text()
        (default,) = set(re.findall(r"PASSWORD:-([^}]*)\}", text))
        assert default.endswith("dev-only")
        assert "DEVELOPMENT ONLY" in text
        assert default not in (REPOSITORY / FILES[0]).read_text()

    def test_it_stands_beside_production(self) -> None:
        one, other = (compose(name) for name in FILES)
        assert one["name"] != other["name"]
        assert not set(one["volumes"]) & set(other["volumes"])
        assert services(FILES[0])["timescaledb"]["ports"] != services(FILES[1])["timescaledb"]["ports"]

    def test_it_runs_the_image_of_production(self) -> None:
        assert services(FILES[0])["timescaledb"]["image"] == services(FILES[1])["timescaledb"]["image"]

"""`.env.example` names every setting, with its default and what it is for, and none that nobody reads."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from trdinger.settings import Settings, load

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / ".env.example"
OURS, _, COMPOSE = EXAMPLE.read_text().partition("# docker-compose.yml alone reads the rest.")


def entries(text: str) -> dict[str, tuple[str, str]]:
    """Name to (description, default), in order."""
    return {name: (what, value) for what, name, value in re.findall(r"(?m)^# (.+)\n# ([A-Z_]+)=(.*)$", text)}


def defaults() -> dict[str, tuple[str, str]]:
    """The same from the settings themselves."""
    said = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, bool):
            default = str(default).lower()
        said[(field.alias or name).upper()] = (
            field.description or "",
            "" if default is None else str(default),
        )
    return said


def test_it_holds_every_setting_with_its_default_and_its_use() -> None:
    assert list(entries(OURS).items()) == list(defaults().items())


def test_the_rest_is_what_the_compose_file_reads() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))
    expected = {name: value for name, value in used.items() if name not in defaults()}
    assert {name: value for name, (_, value) in entries(COMPOSE).items()} == expected
    for name in used.keys() & defaults().keys():
        assert used[name] == defaults()[name][1], f"{name} has another default in docker-compose.yml"


def test_uncommented_as_it_is_it_changes_nothing(tmp_path: Path) -> None:
    everything = tmp_path / "all.env"
    everything.write_text(re.sub(r"(?m)^# ([A-Z_]+=)", r"\1", EXAMPLE.read_text()))
    assert load(everything) == load()
    assert not any(isinstance(value, SecretStr) for value in load(everything).model_dump().values())

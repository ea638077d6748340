"""The image: what enters it, who runs in it, and that every package is pinned by its hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-runtime.lock", "requirements-node.lock"]


def instructions() -> list[str]:
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_its_base_is_pinned_and_the_same_in_every_stage() -> None:
    bases = {line.split()[1] for line in instructions() if line.startswith("FROM ")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_it_does_not_run_as_root() -> None:
    users = [line.split()[1] for line in instructions() if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")


def test_it_installs_by_hash_and_then_the_package_alone() -> None:
    installs = [line for line in instructions() if "pip install" in line]
    assert "--require-hashes" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_whatever_it_copies_is_let_in_and_nothing_else() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().split()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        name
        for line in instructions()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert "*" in ignored
    assert copied == let_in


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_names_no_host(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==[\w.+!]+ ?(;.*)?\\?$", package), package
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index" not in text


def test_the_runtime_lock_chooses_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"(?m)^[a-z0-9.\[\]-]+==[\w.+!]+", (REPOSITORY / name).read_text()))

    assert pins("requirements-runtime.lock") <= pins("requirements.lock")
    assert not {pin for pin in pins("requirements.lock") if pin.startswith("nodejs")}

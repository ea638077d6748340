"""Links and paths in the docs lead somewhere, and no machine but the reader's is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, REPOSITORY, name, prose

HOSTS = {"github.com", "www.timescale.com", "keepachangelog.com", "semver.org"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# `src/trdinger/settings.py`, `docs/`, `tests/faults`; not `NAME-move/NAME-DATE.db`.
PATH = re.compile(
    r"`((?:src|tests|docs|tools|\.ci)/[\w./-]*|[\w.-]+\.(?:md|toml|yml|example)|Dockerfile|Makefile)`"
)
ABSOLUTE = re.compile(r"(?<![\w.~:*/-])/(?:work|root|home|tmp|var|opt|mnt|Users)/\S*")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_its_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(prose(document)):
        if "://" in target:
            assert re.sub(r"https://([^/]+).*", r"\1", target) in HOSTS, target
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_files_that_it_names_are_there(document: Path) -> None:
    for path in PATH.findall(prose(document)):
        places = [REPOSITORY / path, document.parent / path, REPOSITORY / "src" / "trdinger" / path]
        assert any(place.exists() for place in places), path


def test_every_document_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        links = [link.partition("#")[0] for link in LINK.findall(prose(document)) if "://" not in link]
        waiting += [(document.parent / link).resolve() for link in links if link]
    assert reached == set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_it_names_no_path_of_somebodys_machine(document: Path) -> None:
    assert not ABSOLUTE.findall(document.read_text("utf-8"))


def test_nor_does_the_program() -> None:
    for file in [
        *(REPOSITORY / "src").rglob("*"),
        *(REPOSITORY / "tools").iterdir(),
        REPOSITORY / "Makefile",
    ]:
        if file.is_file() and file.suffix != ".pyc" and "__pycache__" not in file.parts:
            assert not ABSOLUTE.findall(file.read_text("utf-8")), name(file)


def anchors(document: Path) -> set[str]:
    """The anchors that a forge gives to a document's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(document))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

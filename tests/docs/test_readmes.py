"""The two READMEs: the same commands, the same example, and that is what a run prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import REPOSITORY, blocks, generator

from engines import Embedded

ENGLISH, JAPANESE = (REPOSITORY / name for name in generator.READMES)


def test_their_code_blocks_are_equal() -> None:
    ours, theirs = ([(block.info, block.text) for block in blocks(readme)] for readme in (ENGLISH, JAPANESE))
    assert ours == theirs


def test_they_have_the_same_sections_and_link_the_same_documents() -> None:
    def outline(readme: Path) -> tuple[list[str], set[str]]:
        text = readme.read_text("utf-8")
        return re.findall(r"^#+", text, re.M), set(re.findall(r"\]\((?!README)([^)]+)\)", text))

    assert outline(ENGLISH) == outline(JAPANESE)


def test_what_a_newcomer_needs_comes_first() -> None:
    text = ENGLISH.read_text("utf-8")
    first_screen = "\n".join(text.splitlines()[:50])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_the_example_is_what_a_run_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer rows; figures, times and bars aside."""
    if reason := Embedded().absent():
        pytest.skip(f"embedded: {reason}")
    shown = generator.EXAMPLE.search(ENGLISH.read_text("utf-8"))
    assert shown is not None
    fewer = tuple(command.replace("100000", "500") for command in generator.EXAMPLE_COMMANDS)
    assert fewer != generator.EXAMPLE_COMMANDS
    monkeypatch.setattr(generator, "EXAMPLE_COMMANDS", fewer)
    assert without_figures(generator.example()) == without_figures(shown[2])


def without_figures(text: str) -> str:
    text = re.sub(r"about the same|[\d.]+ times (smaller|larger)", "compared", text)
    text = re.sub(r"\b\d[\d,.]*( (bytes|KiB|MiB|GiB|s|min|h)\b)*", "#", text)
    text = re.sub(r"(# )+", "# ", text)
    return re.sub(r"[━─]+", "-", re.sub(r" +", " ", text))

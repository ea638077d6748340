"""The lines of docs/errors.md: what a command must say in each case that it lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cli.command import Done

DOCS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
_STANDS_FOR_ANYTHING = r"\b(?:FILE|FOLDER|ADDRESS|USER|NAMES?|REASON)\b"


@dataclass(frozen=True)
class Line:
    """A case: the sentence, the next step (empty where all goes well) and the exit code."""

    case: str
    said: str
    hint: str
    code: int


def lines() -> dict[str, Line]:
    """Every line of the document, by its case."""
    found = {}
    for row in re.findall(r"^\| (.+) \|$", DOCS.read_text("utf-8"), re.M):
        cells = [cell.strip() for cell in row.split(" | ")]
        code = re.fullmatch(r"`(\d+)`", cells[-1])
        if code:
            case, said, *hint = cells[:-1]
            assert case not in found
            found[case] = Line(case, said, hint[0] if hint else "", int(code[1]))
    return found


def told(case: str, done: Done) -> None:
    """The command ended as the document says of this case, and said that and nothing else on stderr."""
    line = lines()[case]
    assert done.code == line.code, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "fault of trdinger" not in done.err
    more = r"(?:\n  [^→].+)?"  # a list, a line each
    expected = f"trdinger: {_pattern(line.said)}{more}\n  → {_pattern(line.hint)}\n"
    assert re.fullmatch(expected, done.sentence, re.S), (line, done.sentence)


def went_well(case: str, done: Done) -> None:
    """The command ended well, as the document says of this case."""
    assert done.code == lines()[case].code == 0, done


def _pattern(text: str) -> str:
    parts = re.split(rf"({_STANDS_FOR_ANYTHING}|\bN\b)", text)
    return "".join(
        r"[\d,.]+" if part == "N" else ".+" if re.fullmatch(_STANDS_FOR_ANYTHING, part) else re.escape(part)
        for part in parts
    )

"""The page: well-formed, loading nothing, and harmless whatever the values are."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from trdinger.report.html import render

Json = dict[str, Any]
VOID = {"meta", "link", "br", "img", "input", "hr"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "background", "formaction"}


class Page(HTMLParser):
    """Reads a page; fails on a tag that does not close or an id that repeats."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        for name, value in attrs:
            if name == "id" and value:
                assert value not in self.ids
                self.ids.add(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(params=["equal_report", "rejected_report", "different_report", "verify_report"])
def report(request: pytest.FixtureRequest) -> Json:
    found: Json = request.getfixturevalue(request.param)
    return found


def test_every_page_is_well_formed_and_loads_nothing(report: Json) -> None:
    text = render(report)
    page = Page(text)
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1
    assert not {"script", "iframe", "object", "embed", "img", "link", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in LOADING or name.startswith("on")]
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text.replace("postgresql://", ""), re.IGNORECASE)


def test_every_section_is_named_by_a_heading_that_is_there(report: Json) -> None:
    page = Page(render(report))
    named = {value for name, value in page.attributes if name == "aria-labelledby"}
    assert named
    assert named <= page.ids


def test_the_page_has_a_light_a_dark_and_a_printed_form(equal_report: Json) -> None:
    text = render(equal_report)
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert '<meta name="color-scheme" content="light dark">' in text
    light, dark = (
        set(re.findall(r"(--[a-z0-9-]+):", part)) for part in re.findall(r":root \{(.*?)\}", text, re.S)[:2]
    )
    assert light == dark


def test_the_verdict_and_the_figures_come_in_words(equal_report: Json) -> None:
    text = Page(render(equal_report)).text
    assert "Every cell is equal: 9,000,000 rows, 99,000,000 cells compared." in text
    assert "1 min 40 s" in text
    assert "90,000 rows/s" in text
    assert "377.7 MiB" in text
    assert "1.72 GiB before: 4.7 times smaller" in text
    assert "Scheduled jobs need background workers." in text
    assert "notes" in text
    assert equal_report["backup"]["sha256"] in text


def test_differences_come_before_everything_else(different_report: Json) -> None:
    page = render(different_report)
    text = Page(page).text
    assert "Not equal: 27 differences in 2 tables and 1 problem of the structure" in text
    assert "26 differences, the first 20 of them" in text
    assert (
        text.index("What differs")
        < text.index("Problems of the structure")
        < text.index("Where the time went")
    )
    for words in ("missing in the target", "in the target only", "more than once in the target"):
        assert words in text
    assert "61432.1<mark>00000000006</mark>" in page


def test_a_hostile_value_is_text_and_nothing_else(different_report: Json) -> None:
    different_report["source"] = different_report["backup"]["path"] = "/x/<b onclick='y()'>\x1b.db"
    page = render(different_report)
    assert "<script" not in page
    assert "<b onclick" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
    assert page.encode("utf-8")
    assert r'<script>alert("x")</script>\x1b[2J\u202e\ud800[bold]&amp;' in Page(page).text


def test_the_stages_fill_the_bar_and_do_not_overlap(equal_report: Json) -> None:
    drawn = re.findall(r'<rect class="s\d" x="([\d.]+)" y="0" width="([\d.]+)"', render(equal_report))
    spans = [(float(x), float(x) + float(width)) for x, width in drawn]
    assert len(spans) == 4
    assert spans[0][0] == 0
    assert 990 < spans[-1][1] <= 1000
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_the_commands_can_be_pasted(equal_report: Json) -> None:
    commands = re.findall(r'<code class="command">(.*?)</code>', render(equal_report))
    again, back = (Page(f"<p>{command}</p>").text for command in commands)
    backup, source = equal_report["backup"]["path"], equal_report["source"]
    assert shlex.split(again) == ["trdinger", "verify", backup, "--to", equal_report["target"]]
    assert shlex.split(back) == ["trdinger", "rollback", source]


def test_a_verification_alone_tells_of_no_backup_and_no_password(verify_report: Json) -> None:
    text = Page(render(verify_report)).text
    assert "Compared on" in text
    assert "How to go back" not in text
    assert "trdinger verify '/srv/it'\"'\"'s here/trdinger.db' --to postgresql://me@db/trdinger" in text
    assert "The password is not kept here." in text


def test_a_move_that_was_not_proven_says_so(equal_report: Json) -> None:
    equal_report["result"] = "unproven"
    for table in equal_report["tables"]:
        table |= {"rows_compared": None, "cells_compared": None, "differences": None}
    text = Page(render(equal_report)).text
    assert "Nothing was compared yet" in text
    assert "not compared" in text
    assert "Every cell is equal" not in text

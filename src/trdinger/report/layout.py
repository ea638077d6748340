"""The parts that answers at a terminal are made of: a title, facts, lists, tables.

No text is taken for markup, none is cut, none moves the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trdinger.report import figures


def utf8(console: Console) -> bool:
    """Whether the console takes every character."""
    return console.encoding.lower().startswith("utf")


def title(console: Console, sentence: str, *, good: bool) -> None:
    """The answer in one sentence."""
    sign = ("✓" if good else "✗") if utf8(console) else ("+" if good else "x")
    colour = "green" if good else "red"
    console.print(Text.assemble((f"{sign} ", f"bold {colour}"), (figures.clean(sentence), "bold")))


def facts(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values; a value stays whole on its line, whatever the width, so that it can be copied."""
    for name, value in pairs:
        if value:
            line = Text.assemble((f"  {name:<11} ", "dim"), figures.clean(value))
            console.print(line, soft_wrap=True)


def listing(console: Console, heading: str, items: Sequence[str]) -> None:
    """A heading and its items, one a line; nothing where there is none."""
    if items:
        console.print(Text(f"\n{heading}", style="bold yellow"))
        for item in items:
            console.print(Text(f"  - {figures.clean(item)}"), soft_wrap=True)


def table(*heads: str) -> Table:
    """A table; a head that begins with ">" stands over numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        if head.startswith(">"):
            made.add_column(head[1:], justify="right", no_wrap=True)
        else:
            made.add_column(head, overflow="fold")
    return made


def row(into: Table, *cells: str, style: str = "") -> None:
    """Add a row of texts; none of them is taken for markup."""
    into.add_row(*(Text(figures.clean(cell)) for cell in cells), style=style)


def show(console: Console, table: Table) -> None:
    """Print a table under a blank line, set in as far as everything else."""
    console.print()
    console.print(Padding(table, (0, 0, 0, 2)))


def more(console: Console, left: int, where: str = "") -> None:
    """Say how many were not shown."""
    if left > 0:
        console.print(Text(f"  … and {figures.count(left)} more{where}", style="dim"))

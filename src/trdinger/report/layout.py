"""The parts that answers at a terminal are made of: a title, facts, lists, tables.

No text is taken for markup, none is cut, none moves the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from trdinger.report import figures

_INDENT = 2  # cells before a table
_FOLDED = 16  # cells that a text is folded to at the narrowest
_ENDLESS = 1 << 20  # cells of a console that folds nothing


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
    """A table. A head that begins with ">" stands over numbers, one with "~" over texts that may fold."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        if head.startswith("~"):
            made.add_column(Text(figures.clean(head[1:])), overflow="fold")
        else:
            name = Text(figures.clean(head.removeprefix(">")))
            made.add_column(name, justify="right" if head.startswith(">") else "left", no_wrap=True)
    return made


def row(into: Table, *cells: str, style: str = "") -> None:
    """Add a row of texts; none of them is taken for markup."""
    into.add_row(*(Text(figures.clean(cell)) for cell in cells), style=style)


def show(console: Console, table: Table) -> None:
    """Print a table under a blank line, set in as far as everything else.

    Where it is wider than the console at its narrowest, lines run on: no name or number is cut.
    """
    console.print()
    width = max(console.width, _narrowest(console, table) + _INDENT)
    padded = Padding(table, (0, 0, 0, _INDENT), expand=False)
    lines = console.render_lines(padded, console.options.update(width=width), pad=False)
    console.print(SegmentLines(lines, new_lines=True), soft_wrap=True, end="")


def _narrowest(console: Console, table: Table) -> int:
    """Cells that the table takes when only texts that may fold are folded."""
    endless = console.options.update(width=_ENDLESS)
    width = Measurement.get(console, endless, table).maximum
    for column in table.columns:
        if not column.no_wrap:
            whole = max(
                Measurement.get(console, endless, cell).maximum for cell in (column.header, *column.cells)
            )
            width -= max(0, whole - _FOLDED)
    return width


def more(console: Console, left: int, where: str = "") -> None:
    """Say how many were not shown."""
    if left > 0:
        console.print(Text(f"  … and {figures.count(left)} more{where}", style="dim"))

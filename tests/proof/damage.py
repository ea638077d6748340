"""Damages the bytes of a SQLite file: header, pages, cells, pointers, length, declarations. By chance."""

from __future__ import annotations

import random
from collections.abc import Callable

_HEADER = 100
_LEAVES = {0x0D: 8, 0x0A: 8}  # types of leaf pages, with the bytes of their headers
_INTERIORS = {0x05: 12, 0x02: 12}
# What stands in the declarations, and what may stand there instead in as many bytes.
_WORDS = (
    (b"NOT NULL", b"        "),
    (b"VARCHAR", b"INTEGER"),
    (b"VARCHAR", b"BLOB   "),
    (b"DATETIME", b"TEXT    "),
    (b"DATETIME", b"REAL    "),
    (b"FLOAT", b"TEXT "),
    (b"FLOAT", b"INT  "),
    (b"INTEGER", b"TEXT   "),
    (b"JSON", b"BLOB"),
    (b"UNIQUE", b"      "),
    (b"symbol", b"SYMBOL"),
    (b"symbol", b"symbo1"),
    (b"volume", b"vo'ume"),
    (b"created_at", b"updated_at"),
    (b"_data", b"_dat\xe4"),
)
_NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def damaged(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """The file with one to three damages, and what they are."""
    file = _File(bytearray(data), chance)
    kinds = [chance.choice(_DAMAGES) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    for kind in kinds:
        if len(file.data) > _HEADER:
            kind(file)
    return bytes(file.data), ", ".join(kind.__name__.strip("_") for kind in kinds)


class _File:
    """The bytes, and where things are in them."""

    def __init__(self, data: bytearray, chance: random.Random) -> None:
        self.data, self.chance = data, chance
        self.page = int.from_bytes(data[16:18], "big") or 65536

    @property
    def pages(self) -> int:
        """How many whole pages there are, one at least."""
        return max(1, len(self.data) // self.page)

    def put(self, at: int, value: int, size: int = 1) -> None:
        """Write a number; beyond the end nothing happens."""
        if 0 <= at <= len(self.data) - size:
            self.data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "big")

    def number(self, size: int) -> int:
        """A number of so many bytes: any, a special one, or the number of a page."""
        any_ = self.chance.getrandbits(8 * size)
        return self.chance.choice(
            (any_, self.chance.choice(_NUMBERS), self.chance.randint(0, self.pages + 1))
        )

    def any_page(self, types: dict[int, int]) -> tuple[int, int]:
        """Where the header of some page of these types is and how long it is; else of any page."""
        starts = [number * self.page + (_HEADER if number == 0 else 0) for number in range(self.pages)]
        fit = [start for start in starts if start < len(self.data) and self.data[start] in types]
        start = self.chance.choice(fit or starts)
        return start, types.get(self.data[start] if start < len(self.data) else 0, 8)

    def any_cell(self, types: dict[int, int] = _LEAVES) -> int:
        """Where some cell of a page of these types begins."""
        start, header = self.any_page(types)
        cells = int.from_bytes(self.data[start + 3 : start + 5], "big")
        entry = start + header + 2 * self.chance.randrange(max(1, min(cells, self.page // 2)))
        return start - start % self.page + int.from_bytes(self.data[entry : entry + 2], "big")


def _some_bytes(file: _File) -> None:
    for _ in range(file.chance.randint(1, 8)):
        file.put(file.chance.randrange(len(file.data)), file.chance.getrandbits(8))


def _one_bit(file: _File) -> None:
    at = file.chance.randrange(len(file.data))
    file.put(at, file.data[at] ^ 1 << file.chance.randrange(8))


def _header_byte(file: _File) -> None:
    file.put(file.chance.randrange(16, _HEADER), file.number(1))


def _header_number(file: _File) -> None:
    """Page size, versions, reserved bytes, pages, free pages, schema format, encoding, and the like."""
    at, size = file.chance.choice(
        (
            (16, 2),
            (18, 1),
            (19, 1),
            (20, 1),
            (21, 1),
            (24, 4),
            (28, 4),
            (32, 4),
            (36, 4),
            (44, 4),
            (52, 4),
            (64, 4),
        )
    )
    file.put(at, file.number(size), size)


def _encoding(file: _File) -> None:
    file.put(56, file.chance.choice((0, 1, 2, 3, 4, 0x01000000)), 4)


def _page_header(file: _File) -> None:
    start, _ = file.any_page(_LEAVES | _INTERIORS)
    at, size = file.chance.choice(((0, 1), (1, 2), (3, 2), (5, 2), (7, 1), (8, 4)))
    file.put(start + at, file.number(size), size)


def _page_type(file: _File) -> None:
    start, _ = file.any_page(_LEAVES | _INTERIORS)
    file.put(start, file.chance.choice((0x02, 0x05, 0x0A, 0x0D)))


def _cell_pointer(file: _File) -> None:
    start, header = file.any_page(_LEAVES | _INTERIORS)
    file.put(start + header + 2 * file.chance.randrange(20), file.number(2), 2)


def _cell_head(file: _File) -> None:
    """Length, rowid, and the kinds of the values."""
    file.put(file.any_cell() + file.chance.randrange(16), file.number(1))


def _cell_kind(file: _File) -> None:
    """A kind of value for another: null, integers of each size, float, 0, 1, reserved, blob, text."""
    at = file.any_cell({0x0D: 8}) + file.chance.randrange(3, 16)
    file.put(at, file.chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 38, 39, 64, 65)))


def _cell_value(file: _File) -> None:
    at = file.any_cell() + file.chance.randrange(12, 120)
    for step in range(file.chance.choice((1, 1, 2, 8))):
        file.put(at + step, file.chance.choice((0, 0xFF, 0xC3, 0xED, 0xA0, 0xD8, file.chance.getrandbits(8))))


def _child_pointer(file: _File) -> None:
    at = file.any_cell(_INTERIORS) if file.chance.random() < 0.6 else file.any_page(_INTERIORS)[0] + 8
    file.put(at, file.number(4), 4)


def _overflow_pointer(file: _File) -> None:
    """The head of a page that is no tree's: of an overflow chain, the free list, or the pointer map."""
    starts = [
        start
        for start in range(file.page, file.pages * file.page, file.page)
        if file.data[start] not in _LEAVES | _INTERIORS
    ]
    if starts:
        file.put(file.chance.choice(starts) + file.chance.choice((0, 0, 4, 8)), file.number(4), 4)


def _cut(file: _File) -> None:
    whole = file.chance.randrange(file.pages + 1) * file.page
    length = file.chance.choice((whole, file.chance.randrange(len(file.data)), len(file.data) - 1))
    del file.data[max(length, 1) :]


def _cut_and_told(file: _File) -> None:
    """Whole pages cut off, and the header made to tell of the rest only."""
    left = file.chance.randint(1, file.pages)
    del file.data[left * file.page :]
    file.put(28, left, 4)


def _garbage_behind(file: _File) -> None:
    file.data += file.chance.randbytes(file.chance.choice((1, 100, file.page, 3 * file.page)))


def _pages_swapped(file: _File) -> None:
    one, other = (file.chance.randrange(file.pages) * file.page for _ in range(2))
    size = file.page
    file.data[one : one + size], file.data[other : other + size] = (
        file.data[other : other + size],
        file.data[one : one + size],
    )


def _page_doubled(file: _File) -> None:
    one, other = (file.chance.randrange(file.pages) * file.page for _ in range(2))
    file.data[one : one + file.page] = file.data[other : other + file.page]


def _page_blank(file: _File) -> None:
    at = file.chance.randrange(file.pages) * file.page
    fill = file.chance.choice((b"\x00", b"\xff", b"\x0d"))
    file.data[at : at + file.page] = fill * len(file.data[at : at + file.page])


def _declaration(file: _File) -> None:
    """A word of the declarations for another of the same length, in the encoding of the file."""
    encoding = {2: "utf-16le", 3: "utf-16be"}.get(int.from_bytes(file.data[56:60], "big"), "latin-1")
    word, other = (each.decode("latin-1").encode(encoding) for each in file.chance.choice(_WORDS))
    places = []
    at = file.data.find(word)
    while at >= 0:
        places.append(at)
        at = file.data.find(word, at + 1)
    if places:
        at = file.chance.choice(places)
        file.data[at : at + len(word)] = other


_DAMAGES: tuple[Callable[[_File], None], ...] = (
    _some_bytes,
    _one_bit,
    _header_byte,
    _header_number,
    _encoding,
    _page_header,
    _page_type,
    _cell_pointer,
    _cell_head,
    _cell_kind,
    _cell_kind,
    _cell_value,
    _cell_value,
    _cell_value,
    _child_pointer,
    _overflow_pointer,
    _cut,
    _cut_and_told,
    _garbage_behind,
    _pages_swapped,
    _page_doubled,
    _page_blank,
    _declaration,
    _declaration,
)

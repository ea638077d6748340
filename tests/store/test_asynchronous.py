"""A store in an event loop: the same answers, so many at once, and a cancelled question harms no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import trdinger
from store.test_store import BTC, file
from trdinger.errors import Transient, UsageError
from trdinger.store.asked import UnknownSeries
from trdinger.store.asynchronous import AsyncStore
from trdinger.store.store import Store

__all__ = ["file"]


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with trdinger.open(f"sqlite:///{file}") as opened:
        yield opened


def test_its_answers_are_those_of_the_store(file: Path, store: Store) -> None:
    async def ask() -> None:
        async with trdinger.open_async(f"sqlite:///{file}", connections=2) as twin:
            candles, latest, inventory = await asyncio.gather(
                twin.candles(BTC, "15m"), twin.latest(BTC, "15m", 3), twin.inventory()
            )
            assert candles.arrow == store.candles(BTC, "15m").arrow
            assert latest.arrow == store.latest(BTC, "15m", 3).arrow
            assert inventory == store.inventory()
            with pytest.raises(UnknownSeries):
                await twin.candles("NONE", "1h")

    asyncio.run(ask())


class Slow:
    """A store that answers when it is let, and remembers who was at it."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = self.at_once = self.most = self.closed = 0
        self.lost = False

    def symbols(self) -> list[str]:
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        assert self.let.wait(10)
        self.at_once -= 1
        if self.lost:
            raise Transient("gone")
        return ["BTC"]

    def close(self) -> None:
        self.closed += 1


def twin(opened: list[Slow], size: int) -> AsyncStore:
    def open_one() -> Store:
        opened.append(Slow())
        return opened[-1]  # type: ignore[return-value]

    return AsyncStore(open_one, size)


async def ask(store: AsyncStore) -> list[str]:
    return await store._ask(lambda one: one.symbols())


async def until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.001)


def test_a_cancelled_question_keeps_its_connection_until_it_is_answered() -> None:
    async def run() -> None:
        opened: list[Slow] = []
        async with twin(opened, 1) as store:
            first = asyncio.create_task(ask(store))
            await until(lambda: opened and opened[0].asked)
            first.cancel()
            second, third = asyncio.create_task(ask(store)), asyncio.create_task(ask(store))
            await asyncio.sleep(0.01)
            assert first.cancelled()
            assert (opened[0].asked, second.done()) == (1, False)
            third.cancel()  # before it began
            opened[0].let.set()
            assert await second == ["BTC"]
        assert len(opened) == 1
        assert (opened[0].asked, opened[0].most, opened[0].closed) == (2, 1, 1)

    asyncio.run(run())


def test_a_store_that_was_lost_is_opened_anew() -> None:
    async def run() -> None:
        opened: list[Slow] = []
        async with twin(opened, 1) as store:
            first = asyncio.create_task(ask(store))
            await until(lambda: opened and opened[0].asked)
            opened[0].lost = True
            opened[0].let.set()
            with pytest.raises(Transient):
                await first
            second = asyncio.create_task(ask(store))
            await until(lambda: len(opened) == 2)
            opened[1].let.set()
            assert await second == ["BTC"]
        assert [one.closed for one in opened] == [1, 1]
        with pytest.raises(UsageError):
            AsyncStore(Slow, 0)  # type: ignore[arg-type]

    asyncio.run(run())

"""The questions of a store for an event loop: each is asked in a thread, over a store of that thread's own.

    async with trdinger.open_async() as store:
        frame = await store.candles("BTC/USDT:USDT", "1h")

At most `size` are asked at once, and the others wait. A question whose asker was cancelled is heard to its
end by its thread, and only then is its store there for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from trdinger.errors import Transient, UsageError
from trdinger.store.store import Store

P = ParamSpec("P")
R = TypeVar("R")


def _twin(
    question: Callable[Concatenate[Store, P], R],
) -> Callable[Concatenate[AsyncStore, P], Awaitable[R]]:
    @wraps(question)
    async def asked(self: AsyncStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._ask(lambda store: question(store, *args, **kwargs))

    return asked


class AsyncStore:
    """Answers from one database, as `Store` gives them. Use it within one event loop, as a context."""

    def __init__(self, opened: Callable[[], Store], size: int) -> None:
        if size < 1:
            raise UsageError(f"{size} connections cannot answer.", hint="Allow 1 or more.")
        # The last one used is used again: its connection and its prepared statements are warm.
        self._idle: asyncio.LifoQueue[_Thread] = asyncio.LifoQueue()
        self._threads = [_Thread(opened) for _ in range(size)]
        for thread in self._threads:
            self._idle.put_nowait(thread)

    async def __aenter__(self) -> AsyncStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the database, after what is being asked was answered."""
        await asyncio.gather(*(asyncio.wrap_future(thread.close()) for thread in self._threads))

    candles = _twin(Store.candles)
    candles_of = _twin(Store.candles_of)
    latest = _twin(Store.latest)
    funding_rates = _twin(Store.funding_rates)
    open_interest = _twin(Store.open_interest)
    merged = _twin(Store.merged)
    timeframes_of = _twin(Store.timeframes_of)
    aligned = _twin(Store.aligned)
    symbols = _twin(Store.symbols)
    timeframes = _twin(Store.timeframes)
    date_range = _twin(Store.date_range)
    gaps = _twin(Store.gaps)
    inventory = _twin(Store.inventory)
    write_candles = _twin(Store.write_candles)
    write_funding_rates = _twin(Store.write_funding_rates)
    write_open_interest = _twin(Store.write_open_interest)

    async def _ask(self, question: Callable[[Store], R]) -> R:
        thread = await self._idle.get()
        loop = asyncio.get_running_loop()
        answer = thread.ask(question)
        answer.add_done_callback(lambda _: loop.call_soon_threadsafe(self._idle.put_nowait, thread))
        # Cancelled, a question goes on in its thread; one that has not begun does not begin.
        return await asyncio.wrap_future(answer)


class _Thread:
    """One thread and its store, which is opened at the first question, and anew after it was lost."""

    def __init__(self, opened: Callable[[], Store]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="trdinger")
        self._open = opened
        self._store: Store | None = None

    def ask(self, question: Callable[[Store], R]) -> Future[R]:
        return self._pool.submit(self._asked, question)

    def close(self) -> Future[None]:
        closed = self._pool.submit(self._closed)
        self._pool.shutdown(wait=False)
        return closed

    def _asked(self, question: Callable[[Store], R]) -> R:
        if self._store is None:
            self._store = self._open()
        try:
            return question(self._store)
        except Transient:
            self._closed()
            raise

    def _closed(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

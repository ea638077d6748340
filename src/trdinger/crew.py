"""Several threads at one heap of work; what each gives is told to the thread that called.

So progress, Ctrl-C and errors stay where they are without threads. Nobody begins another item once one
has failed or the caller has had enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Given = TypeVar("Given")

PATIENCE = 10.0  # seconds for the others to leave what they are at


def crew(
    items: Iterable[Item],
    work: Callable[[Iterator[Item]], Generator[Given, None, None]],
    *,
    hands: int,
    name: str,
    let_go: Callable[[], object] = lambda: None,
) -> Generator[Given, None, None]:
    """What `work` gives, item after item, from `hands` threads at once; with one hand from this thread.

    work: is called by each thread with the items that are left, which come to each thread one by one;
    what it opens, it opens for itself. let_go: breaks off what is under way, when the caller ends
    before the work does. Raises the first error of a thread.
    """
    if hands <= 1:
        yield from work(iter(items))
        return
    several = _Crew(items, work)
    try:
        yield from several.given(hands, name)
    finally:
        several.stop(let_go)


class _Crew(Generic[Item, Given]):
    def __init__(
        self, items: Iterable[Item], work: Callable[[Iterator[Item]], Generator[Given, None, None]]
    ) -> None:
        self._waiting: SimpleQueue[Item] = SimpleQueue()
        for item in items:
            self._waiting.put(item)
        self._work = work
        self._told: SimpleQueue[tuple[Given] | BaseException | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def given(self, hands: int, name: str) -> Iterator[Given]:
        # Daemons: one that hangs on a dead line does not keep the process.
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(hands)
        ]
        for thread in self._threads:
            thread.start()
        at_work = hands
        while at_work:
            told = self._told.get()
            if isinstance(told, BaseException):
                raise told
            if told is None:
                at_work -= 1
            else:
                yield told[0]

    def stop(self, let_go: Callable[[], object]) -> None:
        self._stopping.set()
        if any(thread.is_alive() for thread in self._threads):
            let_go()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            with closing(self._work(self._left())) as given:
                for each in given:
                    self._told.put((each,))
                    if self._stopping.is_set():
                        break
            self._told.put(None)
        except BaseException as error:
            self._told.put(error)

    def _left(self) -> Iterator[Item]:
        while not self._stopping.is_set():
            try:
                yield self._waiting.get_nowait()
            except Empty:
                return

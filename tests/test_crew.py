"""Several threads at one heap of work: everything is done once, errors and endings are the caller's."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from trdinger.crew import crew


def doubled(own: Iterator[int]) -> Generator[tuple[int, str], None, None]:
    for item in own:
        time.sleep(0.002)
        yield 2 * item, threading.current_thread().name


@pytest.mark.parametrize("hands", [0, 1, 2, 7])
def test_each_item_is_done_once_by_as_many_as_were_asked_for(hands: int) -> None:
    given = list(crew(range(100), doubled, hands=hands, name="work"))
    assert sorted(value for value, _ in given) == list(range(0, 200, 2))
    names = {name for _, name in given}
    assert len(names) == max(1, hands)
    assert ("work-0" in names) is (hands > 1)


def test_more_hands_than_items_are_no_harm() -> None:
    assert [value for value, _ in crew([4], doubled, hands=5, name="work")] == [8]
    assert list(crew([], doubled, hands=3, name="work")) == []


@pytest.mark.parametrize("hands", [1, 3])
def test_an_error_is_the_callers_and_ends_the_others(hands: int) -> None:
    done: list[int] = []

    def failing(own: Iterator[int]) -> Generator[int, None, None]:
        for item in own:
            if item == 5:
                raise ValueError("the fifth")
            time.sleep(0.002)
            done.append(item)
            yield item

    with pytest.raises(ValueError, match="the fifth"):
        list(crew(range(1000), failing, hands=hands, name="work"))
    assert len(done) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("work-")]


@pytest.mark.parametrize("hands", [1, 3])
def test_a_caller_who_has_had_enough_ends_it_and_what_was_opened_is_closed(hands: int) -> None:
    closed: list[str] = []
    freed = threading.Event()

    def patient(own: Iterator[int]) -> Generator[int, None, None]:
        try:
            for item in own:
                if item > 0 and hands > 1:
                    freed.wait(5)
                yield item
        finally:
            closed.append(threading.current_thread().name)

    begun = time.monotonic()
    with closing(crew(range(1000), patient, hands=hands, name="work", let_go=freed.set)) as given:
        assert next(given) == 0
    assert time.monotonic() - begun < 4
    assert len(closed) == max(1, hands)
    assert freed.is_set() is (hands > 1)

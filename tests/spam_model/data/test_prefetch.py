"""Items made ahead in a thread: the same ones, never too many, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.data.prefetch import prefetched


def threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_they_come_in_order_and_all(items: list[int], ahead: int) -> None:
    with prefetched(items, ahead) as taken:
        assert list(taken) == items
    assert threads() == 0


@pytest.mark.parametrize("ahead", [1, 4])
def test_no_more_are_made_ahead_than_said(ahead: int) -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        while made < 30:
            made += 1
            yield made

    with prefetched(items(), ahead) as taken:
        for item in taken:
            time.sleep(0.002)
            assert made - item <= ahead + 1  # one more waits to be put


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("frame 3 is broken")

    got = []
    with pytest.raises(ValueError, match="frame 3 is broken"), prefetched(items(), 8) as taken:
        for item in taken:
            got.append(item)
    assert got == [1, 2]
    assert threads() == 0


def test_who_stops_early_leaves_no_thread() -> None:
    with pytest.raises(RuntimeError, match="enough"), prefetched(iter(range(10**9)), 3) as taken:
        next(taken)
        raise RuntimeError("enough")
    assert threads() == 0

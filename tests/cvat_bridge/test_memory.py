"""What a round leaves in its guide reads back whole, or is refused."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvat_bridge import memory as memory_module
from cvat_bridge.memory import RoundMemory, memory_of, with_memory
from spam_model.errors import FormatError
from spam_model.values import Anchor, Query, QueryKind

numbers = st.floats(-1e4, 1e4)
anchors = st.builds(Anchor, st.integers(-5, 10**6), st.integers(0, 10**5), st.tuples(*[numbers] * 4), st.integers(0, 9))
tracklets = st.lists(anchors, min_size=1, max_size=4).map(tuple)
queries = st.one_of(
    st.builds(Query, st.just(QueryKind.DETECTION), st.integers(0, 9), tracklets),
    st.builds(
        Query,
        st.just(QueryKind.ASSOCIATION),
        st.integers(1, 9),
        tracklets,
        st.lists(tracklets, min_size=1, max_size=3).map(tuple),
    ),
)
memories = st.builds(
    RoundMemory,
    st.integers(1, 9999),
    st.integers(1, 99),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 99),
    st.just("r3"),
    st.just({"detector": "a", "classes": ["person"], "frame_rate": 25.0}),
    st.lists(queries, max_size=3).map(tuple),
    st.dictionaries(st.text("0123456789abcdef", min_size=12, max_size=12), st.none() | st.tuples(*[numbers] * 3)),
)


@given(memories, st.text())
def test_a_memory_reads_back_whatever_the_guide_says(memory: RoundMemory, guide: str) -> None:
    assert memory_of(with_memory(guide.replace("<!--", ""), memory)) == memory


SOME = RoundMemory(7, 1, 100, 10, 3, "r1", {"detector": "a"})
TEXT = with_memory("# How to answer", SOME)
DAMAGED = {
    "no record": "# How to answer",
    "a later version": TEXT.replace("cvat-spam 1", "cvat-spam 2"),
    "a character changed": TEXT.replace(TEXT[40], "A" if TEXT[40] != "A" else "B"),
    "cut short": TEXT[:60] + TEXT[-20:],
    "other content": f"<!-- cvat-spam 1 {base64.b64encode(zlib.compress(b'[1]')).decode()} -->",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_was_changed_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        memory_of(DAMAGED[name])


def test_a_record_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_BYTES", 1000)
    with pytest.raises(FormatError, match="too large"):
        memory_of(f"<!-- cvat-spam 1 {base64.b64encode(zlib.compress(bytes(10**6))).decode()} -->")


def test_markdown_does_not_show_it() -> None:
    head, _, tail = TEXT.partition("<!--")
    assert head == "# How to answer\n"
    assert tail.rstrip().endswith("-->")
    assert "--" not in tail.rstrip().removesuffix("-->")

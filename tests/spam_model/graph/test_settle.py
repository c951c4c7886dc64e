"""Answers put into force on tracks: what they cut, what they join, and that nothing else moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.graph.constraints import resolve
from spam_model.graph.hierarchy import run_hierarchy
from spam_model.graph.model import SpamModel
from spam_model.graph.scene import Scene
from spam_model.graph.settle import settle
from spam_model.values import Candidates, ClipInfo, Constraint, Constraints, Hierarchy, Level
from tests.spam_model.graph.worlds import (
    accept,
    cannot_link,
    consistent_constraints,
    must_link,
    random_candidates,
    random_model,
    reject,
)

INFO = ClipInfo("hand-made", 60, 10.0, 1000, 500, ("person", "car"))
Seen = tuple[int, float, float]  # frame, left, top


def model_of(bias: float) -> SpamModel:
    """A network that says the same of every link."""
    model = random_model(0)
    last = model.association.classifier[-1].bias
    last.data.fill_(bias)
    return model


ALOOF, EAGER = model_of(-1000.0), model_of(1000.0)


def walk(frames: Sequence[int], left: float, top: float, step: float = 0.0) -> list[Seen]:
    return [(frame, left + step * frame, top) for frame in frames]


class World:
    """Candidates of 20 × 50 px, and the tracks that a run without answers gave them."""

    def __init__(self, *tracks: Sequence[Seen], loose: Sequence[Seen] = (), classes: Sequence[int] = ()) -> None:
        table = [(*one, number) for number, track in enumerate(tracks) for one in track]
        table += [(*one, -1) for one in loose]
        table.sort(key=lambda one: one[0])
        frame, left, top, track = (np.array(column) for column in zip(*table, strict=True))
        box = np.stack([left, top, left + 20, top + 50], axis=1)
        class_of = np.array([*(classes or [0] * len(tracks)), classes[0] if classes else 0])
        self.candidates = Candidates.build(INFO, frame, box, np.full(len(frame), 0.8), class_id=class_of[track])
        self.track_of = track

    def row(self, frame: int, track: int) -> int:
        (row,) = np.flatnonzero((self.candidates.frame == frame) & (self.track_of == track))
        return int(row)

    def settled(
        self, *items: Constraint, model: SpamModel = ALOOF, levels: tuple[Level, ...] = ()
    ) -> set[frozenset[tuple[int, int]]]:
        """The tracks under these answers, each as the (track before, frame) of its boxes."""
        count = len(self.candidates)
        base = Hierarchy(np.full(count, 0.9), self.track_of >= 0, levels, self.track_of)
        resolved = resolve(self.candidates, Constraints(items))
        assert resolved.conflicts == ()
        result = settle(model, Scene.of(self.candidates), base, resolved)
        boxes = list(zip(self.track_of.tolist(), self.candidates.frame.tolist(), strict=True))
        return {frozenset(boxes[row] for row in rows) for rows in members(result.track_of).values()}


def members(track_of: np.ndarray) -> dict[int, frozenset[int]]:
    """Rows of each track."""
    return {t: frozenset(np.flatnonzero(track_of == t).tolist()) for t in range(int(track_of.max(initial=-1)) + 1)}


def part(track: int, frames: Sequence[int]) -> frozenset[tuple[int, int]]:
    return frozenset((track, frame) for frame in frames)


# Two people pass each other in frame 20, and the tracks have changed over: each goes on as the other.
SWAP = 20
ANNA, BERT = walk(range(41), 100, 100, 5), walk(range(41), 300, 112, -5)
SWAPPED = World([*ANNA[:SWAP], *BERT[SWAP:]], [*BERT[:SWAP], *ANNA[SWAP:]])
MENDED = part(0, range(SWAP)) | part(1, range(SWAP, 41))
REST = part(1, range(SWAP)), part(0, range(SWAP, 41))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, SWAP - 1), st.integers(SWAP, 40))
def test_one_answer_mends_a_swap(before: int, after: int) -> None:
    """Whatever boxes it names, both tracks are cut where they are closest; the network has the other halves."""
    link = must_link(SWAPPED.candidates, SWAPPED.row(before, 0), SWAPPED.row(after, 1))
    assert SWAPPED.settled(link) == {MENDED, *REST}
    assert SWAPPED.settled(link, model=EAGER) == {MENDED, REST[0] | REST[1]}


def test_a_link_between_tracks_that_follow_each_other_joins_them_whole() -> None:
    world = World(ANNA[:10], ANNA[15:], BERT)
    assert world.settled(must_link(world.candidates, world.row(3, 0), world.row(30, 1))) == {
        part(0, range(10)) | part(1, range(15, 41)),
        part(2, range(41)),
    }


def test_an_object_that_changes_over_twice_is_followed_through_both() -> None:
    there, back = 15, 30
    world = World([*ANNA[:there], *BERT[there:back], *ANNA[back:]], [*BERT[:there], *ANNA[there:back], *BERT[back:]])
    rows = [world.row(frame, track) for frame, track in ((5, 0), (20, 1), (35, 0))]
    links = [must_link(world.candidates, *pair) for pair in ((rows[0], rows[1]), (rows[1], rows[2]))]
    mended = part(0, range(there)) | part(1, range(there, back)) | part(0, range(back, 41))
    assert mended in world.settled(*links)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 14), st.integers(15, 29))
def test_two_objects_in_one_track_are_parted_where_it_jumps(before: int, after: int) -> None:
    world = World([*walk(range(15), 100, 100, 2), *walk(range(15, 30), 160, 100, 2)], BERT)
    apart = cannot_link(world.candidates, world.row(before, 0), world.row(after, 0))
    assert world.settled(apart) == {part(0, range(15)), part(1, range(41)), part(0, range(15, 30))}


@pytest.mark.parametrize("weakest", [4, 11, 20])
def test_without_a_jump_they_are_parted_where_the_network_was_least_sure(weakest: int) -> None:
    world = World(walk(range(30), 100, 100, 2))
    probability = np.where(np.arange(29) == weakest, 0.6, 0.99)
    edge = np.stack([np.arange(29), np.arange(1, 30)])
    level = Level(1, 64, np.arange(30), edge, probability, np.ones(29, bool))
    apart = cannot_link(world.candidates, world.row(2, 0), world.row(25, 0))
    tracks = world.settled(apart, levels=(level,))
    assert tracks == {part(0, range(weakest + 1)), part(0, range(weakest + 1, 30))}


def test_what_was_parted_is_not_joined_again_however_sure_the_network_is() -> None:
    world = World(walk(range(30), 100, 100, 2))
    apart = cannot_link(world.candidates, world.row(5, 0), world.row(25, 0))
    assert len(world.settled(apart, model=EAGER)) == 2


def test_three_objects_in_one_track_need_two_cuts() -> None:
    parts = [walk(range(10), 100, 100), walk(range(10, 20), 200, 100), walk(range(20, 30), 300, 100)]
    world = World([one for part in parts for one in part])
    rows = [world.row(frame, 0) for frame in (4, 14, 24)]
    items = [cannot_link(world.candidates, rows[a], rows[b]) for a, b in ((0, 1), (1, 2), (0, 2))]
    assert world.settled(*items) == {part(0, range(10)), part(0, range(10, 20)), part(0, range(20, 30))}


def test_a_rejected_stretch_leaves_the_track_one() -> None:
    world = World(ANNA)
    gone = range(10, 14)
    rejected = [reject(world.candidates, world.row(frame, 0)) for frame in gone]
    assert world.settled(*rejected) == {part(0, range(41)) - part(0, gone)}


BROKEN = [*walk(range(10), 100, 100, 5), *walk(range(20, 41), 100, 100, 5)]


@pytest.mark.parametrize(
    ("loose", "classes", "joins", "reason"),
    [
        ((15, 178, 100), (), True, "on the line"),
        ((15, 178, 115), (), True, "0.3 heights off"),
        ((15, 178, 140), (), False, "0.8 heights off"),
        ((15, 300, 100), (), False, "somebody else's place"),
        ((45, 325, 100), (), False, "after the track"),
        ((5, 129, 100), (), False, "where the track has a box"),
    ],
)
def test_an_accepted_box_in_a_gap_is_of_the_track(
    loose: Seen, classes: Sequence[int], joins: bool, reason: str
) -> None:
    world = World(BROKEN, loose=[loose])
    tracks = world.settled(accept(world.candidates, world.row(loose[0], -1)))
    whole = part(0, [frame for frame, *_ in BROKEN])
    alone = part(-1, [loose[0]])
    assert tracks == ({whole | alone} if joins else {whole, alone}), reason


def test_a_box_of_another_class_is_not_of_the_track() -> None:
    world = World(BROKEN, walk([50], 0, 0), loose=[(15, 178, 100)], classes=[1, 0])
    other = replace(world.candidates, class_id=np.where(world.track_of == -1, 0, world.candidates.class_id))
    world.candidates = other
    assert part(-1, [15]) in world.settled(accept(other, world.row(15, -1)))


def test_a_box_that_is_said_to_be_of_one_track_is_not_taken_for_anothers() -> None:
    """It lies in the gap of a second track, closer to the line through it than to the first's."""
    beside = [*walk(range(10), 100, 110, 5), *walk(range(20, 41), 100, 110, 5)]
    world = World(BROKEN, beside, loose=[(15, 175, 112)])
    link = must_link(world.candidates, world.row(9, 0), world.row(15, -1))
    frames = [frame for frame, *_ in BROKEN]
    assert world.settled(link) == {part(0, frames) | part(-1, [15]), part(1, frames)}


def test_a_chain_of_boxes_of_one_object_joins_one_track_only() -> None:
    beside = [*walk(range(10), 100, 112, 5), *walk(range(20, 41), 100, 112, 5)]
    chain = [(frame, 100 + 5 * frame, 100 + 3 * (frame - 13)) for frame in range(13, 18)]  # from one line to the other
    world = World(BROKEN, beside, loose=chain)
    rows = [world.row(frame, -1) for frame in range(13, 18)]
    links = [must_link(world.candidates, a, b) for a, b in pairwise(rows)]
    frames = [frame for frame, *_ in BROKEN]
    assert world.settled(*links) == {part(0, frames) | part(-1, range(13, 18)), part(1, frames)}


def test_a_lone_accepted_box_is_offered_to_the_network() -> None:
    world = World(ANNA[:20], loose=[(20, 200, 100)])
    item = accept(world.candidates, world.row(20, -1))
    assert world.settled(item) == {part(0, range(20)), part(-1, [20])}
    assert world.settled(item, model=EAGER) == {part(0, range(20)) | part(-1, [20])}


CROWD = random_candidates(5, people=6, frames=40, clutter=20, classes=2, size=4)


def base_of(seed: int) -> tuple[SpamModel, Hierarchy]:
    model = random_model(seed)
    return model, run_hierarchy(model, CROWD)


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(0, 50), st.integers(1, 6))
def test_a_track_that_no_answer_names_stays_as_it_was(data: st.DataObject, seed: int, count: int) -> None:
    """Or a loose end is joined to it: then all of it, but for what another box of the joined track displaces."""
    model, base = base_of(seed)
    items = data.draw(consistent_constraints(CROWD)).items[:count]
    result = settle(model, Scene.of(CROWD), base, resolve(CROWD, Constraints(items)))
    ids = np.array([a.candidate_id for item in items for a in (item.first, item.second) if a], np.int64)
    named = set(base.track_of[CROWD.rows_of(ids)].tolist())
    touched = set(np.flatnonzero(np.isin(base.track_of, list(named))).tolist())
    before, after = members(base.track_of), members(result.track_of)
    for track, rows in before.items():
        if track in named:
            continue
        into = {int(result.track_of[row]) for row in rows} - {-1}
        assert len(into) == 1, "it stays in one piece"
        (number,) = into
        if after[number].isdisjoint(touched):
            assert after[number] == rows
        taken = CROWD.frame[sorted(after[number] - rows)]
        assert set(CROWD.frame[sorted(rows - after[number])].tolist()) <= set(taken.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_without_answers_nothing_changes(seed: int) -> None:
    model, base = base_of(seed)
    result = settle(model, Scene.of(CROWD), base, resolve(CROWD, Constraints()))
    assert np.array_equal(result.track_of, base.track_of)
    assert np.array_equal(result.node_probability, base.node_probability)
    for one, other in zip(result.levels, base.levels, strict=True):
        assert np.array_equal(one.probability, other.probability)


@settings(deadline=None, max_examples=20)
@given(st.data(), st.integers(0, 50))
def test_what_is_rejected_is_in_no_hypothesis(data: st.DataObject, seed: int) -> None:
    """The others are between the nodes that they were between."""
    model, base = base_of(seed)
    gone = np.array(data.draw(st.lists(st.integers(0, len(CROWD) - 1), max_size=60, unique=True)), np.int64)
    resolved = resolve(CROWD, Constraints(tuple(reject(CROWD, row) for row in gone.tolist())))
    result = settle(model, Scene.of(CROWD), base, resolved)
    for before, after in zip(base.levels, result.levels, strict=True):
        expected = np.where(np.isin(np.arange(len(CROWD)), gone), -1, before.node_of)
        assert np.array_equal(after.node_of >= 0, expected >= 0)
        assert np.array_equal(
            np.unique(after.node_of[after.node_of >= 0]), np.arange(after.node_of.max(initial=-1) + 1)
        )
        old = {new: int(node) for new, node in zip(after.node_of.tolist(), before.node_of.tolist(), strict=True)}
        kept = [edge for edge in before.edge.T.tolist() if set(edge) <= set(expected.tolist())]
        assert [[old[node] for node in edge] for edge in after.edge.T.tolist()] == kept
        stays = [set(edge) <= set(expected.tolist()) for edge in before.edge.T.tolist()]
        assert np.array_equal(after.probability, before.probability[np.array(stays, bool)])
        assert np.array_equal(after.chosen, before.chosen[np.array(stays, bool)])


def test_the_links_that_lead_on_are_those_chosen_at_any_level() -> None:
    low = Level(
        1, 2, np.array([0, 1, 2, -1]), np.array([[0, 1], [1, 2]]), np.array([0.7, 0.6]), np.array([True, False])
    )
    high = Level(2, 4, np.array([0, 0, 1, -1]), np.array([[0], [1]]), np.array([0.9]), np.array([True]))
    base = Hierarchy(np.ones(4), np.ones(4, bool), (low, high), np.array([0, 0, 0, -1]))
    assert base.link_probability().tolist() == [0.7, 0.9, 1.0, 1.0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 20), st.integers(0, 2**16))
def test_a_hierarchy_spread_over_more_rows_is_itself_at_its_own(more: int, seed: int) -> None:
    _, base = base_of(0)
    count = len(CROWD) + more
    rows = np.sort(np.random.default_rng(seed).permutation(count)[: len(CROWD)])
    spread = base.at_rows(rows, count)
    others = np.setdiff1d(np.arange(count), rows)
    for whole, own, nothing in [
        (spread.node_probability, base.node_probability, 0),
        (spread.kept, base.kept, False),
        (spread.track_of, base.track_of, -1),
        *((a.node_of, b.node_of, -1) for a, b in zip(spread.levels, base.levels, strict=True)),
    ]:
        assert np.array_equal(whole[rows], own)
        assert (whole[others] == nothing).all()
        assert whole.dtype == own.dtype
    for a, b in zip(spread.levels, base.levels, strict=True):
        assert np.array_equal(a.edge, b.edge)
        assert np.array_equal(a.probability, b.probability)

"""The simulated annotator: matching against a brute-force reference, answers against what is plain to see."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.active.anchors import anchors_of
from spam_model.active.oracle import Oracle
from spam_model.evaluation.matching import IGNORED, NO_OBJECT, match_to_truth
from spam_model.values import NOTHING, Anchor, Answer, Candidates, GroundTruth, Query, QueryKind, Topic
from tests.spam_model.active.worlds import INFO, Seen, truth_of, walk


def candidates_of(seen: list[Seen], classes: list[int] | None = None) -> Candidates:
    return Candidates.build(
        INFO,
        np.array([frame for frame, _ in seen], np.int64),
        np.array([box for _, box in seen], float),
        np.full(len(seen), 0.5),
        class_id=np.array(classes or [0] * len(seen)),
        id=1000 - 3 * np.arange(len(seen)),
    )


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(width * height / (sum(areas) - width * height))


def best_matching(candidates: Candidates, truth: GroundTruth, frame: int) -> dict[int, int]:
    """Every one-to-one matching of a frame is tried; a distractor is worth half. Candidate row -> truth row."""
    mine = np.flatnonzero(candidates.frame == frame).tolist()
    theirs = np.flatnonzero(truth.frame == frame).tolist()
    best: dict[int, int] = {}
    most = 0.0
    for partners in permutations([*theirs, *[-1] * len(mine)], len(mine)):
        pairs, worth = {}, 0.0
        for row, partner in zip(mine, partners, strict=True):
            if partner < 0 or candidates.class_id[row] != truth.class_id[partner]:
                continue
            iou = overlap(candidates.box[row], truth.box[partner])
            if iou >= 0.5:
                pairs[row] = partner
                worth += iou * (0.5 if truth.ignored[partner] else 1.0)
        if worth > most + 1e-12:
            best, most = pairs, worth
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(0, 3))
def test_matching_is_the_best_of_all_matchings_in_every_frame(seed: int, boxes: int, objects: int) -> None:
    rng = np.random.default_rng(seed)
    frames = [3, 4]

    def around(count: int, spread: float) -> list[list[Seen]]:
        corners = rng.normal(100, spread, (count, len(frames), 2))
        sizes = np.array([20.0, 50.0]) * rng.uniform(0.8, 1.25, (count, len(frames), 2))
        return [[(f, (*(x := corners[i, k]), *(x + sizes[i, k]))) for k, f in enumerate(frames)] for i in range(count)]

    truth = truth_of(
        *around(objects, 4),
        ignored=np.flatnonzero(rng.random(objects) < 0.3).tolist(),
        classes=(rng.random(objects) < 0.2).astype(int).tolist(),
    )
    seen = [one for track in around(boxes, 6) for one in track]
    candidates = candidates_of(seen, (rng.random(len(seen)) < 0.2).astype(int).tolist())
    identity, row = match_to_truth(candidates, truth)
    expected = best_matching(candidates, truth, 3) | best_matching(candidates, truth, 4)
    assert {i: int(r) for i, r in enumerate(row) if r >= 0} == expected
    for i, partner in enumerate(row.tolist()):
        want = NO_OBJECT if partner < 0 else IGNORED if truth.ignored[partner] else truth.track[partner]
        assert identity[i] == want


def test_a_pair_that_is_none_displaces_no_pair() -> None:
    """The sum of all overlaps is largest for two pairs below the threshold, which are no matches at all."""
    truth = truth_of([(0, (25, 0, 125, 100))], [(0, (-38, 0, 62, 100))])
    candidates = candidates_of([(0, (0, 0, 100, 100)), (0, (63, 0, 163, 100))])
    assert match_to_truth(candidates, truth)[0].tolist() == [0, NO_OBJECT]


def test_a_distractor_is_no_object_and_a_real_one_goes_before_it() -> None:
    poster, person = walk(range(4), (100, 100)), walk(range(4), (103, 100))
    candidates = candidates_of(poster)
    assert match_to_truth(candidates, truth_of(poster, ignored=[0]))[0].tolist() == [IGNORED] * 4
    assert match_to_truth(candidates, truth_of(poster, person, ignored=[0]))[0].tolist() == [1] * 4


def test_an_object_of_another_class_is_no_match() -> None:
    person = walk(range(3), (100, 100))
    assert match_to_truth(candidates_of(person), truth_of(person, classes=[1]))[0].tolist() == [NO_OBJECT] * 3


# One truth for the answers: two people, a poster that is ignored, and clutter in the candidates.
ANNA, BERT, POSTER = walk(range(20), (10, 10), (5, 0)), walk(range(20), (10, 200), (5, 0)), walk(range(20), (400, 10))
TRUTH = truth_of(ANNA, BERT, POSTER, ignored=[2])
CLUTTER = walk(range(20), (500, 300))
SEEN = candidates_of(sorted([*ANNA, *BERT, *POSTER, *CLUTTER], key=lambda one: one[0]))
ROWS = {name: np.flatnonzero(SEEN.box[:, 1] == y) for name, y in [("anna", 10), ("bert", 200), ("clutter", 300)]}
ROWS["poster"] = np.flatnonzero(SEEN.box[:, 0] == 400)
ROWS["anna"] = np.setdiff1d(ROWS["anna"], ROWS["poster"])


def boxes(*parts: tuple[str, range]) -> tuple[Anchor, ...]:
    return tuple(anchor for name, frames in parts for anchor in anchors_of(SEEN, ROWS[name][list(frames)]))


def valid(*parts: tuple[str, range]) -> Query:
    return Query(QueryKind.DETECTION, 0, boxes(*parts))


def following(subject: tuple[Anchor, ...], *options: tuple[Anchor, ...]) -> Query:
    return Query(QueryKind.ASSOCIATION, 2, subject, options)


FIRST = boxes(("anna", range(5)))
CASES = [
    ("an object", valid(("anna", range(5))), "yes"),
    ("clutter", valid(("clutter", range(5))), "no"),
    ("a distractor", valid(("poster", range(5))), "no"),
    ("two thirds of an object", valid(("anna", range(4)), ("clutter", range(4, 6))), "yes"),
    ("a third of an object", valid(("anna", range(2)), ("clutter", range(2, 6))), "no"),
    ("half an object", valid(("anna", range(4)), ("clutter", range(4, 8))), "unsure"),
    ("half a distractor", valid(("anna", range(4)), ("poster", range(4, 8))), "unsure"),
    ("two objects in a row", valid(("anna", range(4)), ("bert", range(4, 8))), "yes"),
    ("her next box", following(FIRST, boxes(("bert", range(6, 9))), boxes(("anna", range(6, 9)))), "B"),
    ("the earlier of two", following(FIRST, boxes(("anna", range(12, 15))), boxes(("anna", range(7, 9)))), "B"),
    ("only another person", following(FIRST, boxes(("bert", range(6, 9)))), "nobody"),
    ("what follows clutter", following(boxes(("clutter", range(5))), boxes(("anna", range(6, 9)))), "unsure"),
    ("what follows a poster", following(boxes(("poster", range(5))), boxes(("poster", range(6, 9)))), "unsure"),
    ("clutter after her", following(FIRST, boxes(("clutter", range(6, 9)))), "nobody"),
    ("a subject that slips onto another at its end", following(boxes(("bert", range(4))) + boxes(("anna", range(4, 6))),
        boxes(("bert", range(8, 9))), boxes(("anna", range(8, 9)))), "A"),
    ("an option that slips at its start", following(FIRST, boxes(("bert", range(6, 7)), ("anna", range(7, 15)))), "A"),
    ("an option that becomes her late", following(FIRST, boxes(("bert", range(6, 14)), ("anna", range(14, 20)))),
        "nobody"),
    ("an option that begins with clutter",
        following(FIRST, boxes(("clutter", range(6, 7)), ("anna", range(7, 15)))), "A"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "choice"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_annotator_without_errors_says_what_is_true(query: Query, choice: str) -> None:
    answers = [Oracle(SEEN, TRUTH, seed=seed).answer(query) for seed in range(3)]
    assert {answer.choice for answer in answers} == {choice}
    assert {answer.query_id for answer in answers} == {query.id}


@pytest.mark.parametrize(("query", "choice"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_annotator_who_always_errs_never_says_what_is_true(query: Query, choice: str) -> None:
    oracle = Oracle(SEEN, TRUTH, error_rate=1.0)
    for _ in range(20):
        wrong = oracle.answer(query).choice
        assert wrong in query.choices
        assert wrong not in (choice, "unsure")


def test_the_share_of_errors_is_the_one_asked_for_and_depends_on_the_seed_only() -> None:
    query = valid(("anna", range(5)))

    def answers(seed: int) -> list[str]:
        oracle = Oracle(SEEN, TRUTH, error_rate=0.2, seed=seed)
        return [oracle.answer(query).choice for _ in range(2000)]

    assert answers(1) == answers(1) != answers(2)
    assert np.mean([choice == "no" for choice in answers(1)]) == pytest.approx(0.2, abs=0.03)


def around(query: Query, shift: float) -> Query:
    """The same question with its box moved to the right."""
    x1, y1, x2, y2 = query.subject[0].box
    return replace(query, subject=(replace(query.subject[0], box=(x1 + shift, y1, x2 + shift, y2)),))


def fits(name: str) -> Query:
    return replace(valid((name, range(3, 4))), kind=QueryKind.LOCALIZATION)


def between(first: tuple[str, int], last: tuple[str, int], frame: int) -> Query:
    """Where is it in this frame? Proposed is Anna's box."""
    ends = [boxes((name, range(at, at + 1)))[0] for name, at in (first, last)]
    proposal = Anchor(-7, frame, ANNA[frame][1], 0)
    return Query(QueryKind.LOCALIZATION, 0, (proposal,), topic=Topic.PLACE, between=(ends[0], ends[1]))


DRAGGED = pytest.mark.parametrize(
    ("shift", "moved", "reason"),
    [(1.0, False, "IoU 0.90: good enough"), (3.0, False, "IoU 0.74: just good enough"), (4.5, True, "IoU 0.63: no")],
)


@DRAGGED
def test_a_box_is_redrawn_below_an_overlap_of_0_7_only(shift: float, moved: bool, reason: str) -> None:
    frame, (x1, y1, x2, y2) = ANNA[3]
    candidates = candidates_of([(frame, (x1 + shift, y1, x2 + shift, y2))])
    query = Query(QueryKind.LOCALIZATION, 0, anchors_of(candidates, np.array([0])))
    answer = Oracle(candidates, TRUTH).answer(query)
    assert answer == Answer(query.id, box=(x1, y1, x2, y2) if moved else query.subject[0].box), reason


@DRAGGED
def test_a_box_that_is_proposed_in_a_gap_is_dragged_alike(shift: float, moved: bool, reason: str) -> None:
    query = around(between(("anna", 5), ("anna", 13), 9), shift)
    answer = Oracle(SEEN, TRUTH).answer(query)
    assert answer == Answer(query.id, box=ANNA[9][1] if moved else query.subject[0].box), reason


GONE = truth_of([*ANNA[:8], *ANNA[12:]], BERT, POSTER, ignored=[2])
NOWHERE = [
    ("two people on the two sides", between(("anna", 5), ("bert", 13), 9), TRUTH),
    ("clutter on one side", between(("clutter", 5), ("anna", 13), 9), TRUTH),
    ("a poster", between(("poster", 5), ("poster", 13), 9), TRUTH),
    ("she has left for a while", between(("anna", 5), ("anna", 13), 9), GONE),
    ("a box on clutter", fits("clutter"), TRUTH),
    ("a box on a poster", fits("poster"), TRUTH),
]


@pytest.mark.parametrize(("query", "truth"), [case[1:] for case in NOWHERE], ids=[case[0] for case in NOWHERE])
def test_where_there_is_no_object_the_rectangle_is_deleted(query: Query, truth: GroundTruth) -> None:
    assert Oracle(SEEN, truth).answer(query) == Answer(query.id, NOTHING)


@pytest.mark.parametrize(("query", "truth"), [case[1:] for case in NOWHERE], ids=[case[0] for case in NOWHERE])
def test_a_careless_annotator_leaves_a_rectangle_on_nothing(query: Query, truth: GroundTruth) -> None:
    assert Oracle(SEEN, truth, error_rate=1.0).answer(query) == Answer(query.id, box=query.subject[0].box)


@pytest.mark.parametrize("query", [fits("anna"), between(("anna", 5), ("anna", 13), 9)], ids=["box", "gap"])
def test_a_careless_annotator_overlooks_an_object(query: Query) -> None:
    assert Oracle(SEEN, TRUTH, error_rate=1.0).answer(query) == Answer(query.id, NOTHING)
    oracle = Oracle(SEEN, TRUTH, error_rate=0.2)
    said = [oracle.answer(query).choice for _ in range(400)]
    assert said.count(NOTHING) == pytest.approx(80, abs=30)


@pytest.mark.parametrize(("shift", "choice"), [(0.0, "A"), (5.0, "A"), (12.0, "unsure")])
def test_a_drawn_box_shows_whom_it_fits(shift: float, choice: str) -> None:
    """Link questions and boxes in further gaps start from boxes that people drew: no candidate of the oracle's."""
    drawn = around(between(("anna", 5), ("anna", 13), 9), shift).subject
    query = following(drawn, boxes(("anna", range(11, 14))), boxes(("bert", range(11, 14))))
    assert Oracle(SEEN, TRUTH).answer(query).choice == choice
    further = replace(between(("anna", 5), ("anna", 13), 11), between=(drawn[0], boxes(("anna", range(13, 14)))[0]))
    right = Answer(further.id, box=ANNA[11][1]) if choice == "A" else Answer(further.id, NOTHING)
    assert Oracle(SEEN, TRUTH).answer(further) == right

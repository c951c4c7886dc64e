"""Where a track goes on, and where an object is in a gap: the questions about what the labels lack."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.active.odds import CONTINUATION, shipped_odds
from spam_model.active.questions import ReviewView, continuations, next_drafts, occurrences, place_drafts, stakes
from spam_model.active.questions.occurrences import PAIR_FEATURES
from spam_model.active.questions.places import drawn_id
from spam_model.values import LabelResult, Query, QueryKind, Topic
from tests.spam_model.active.worlds import Tracklet, frames_of, result_of, tracks_of, unpushed, walk

GONE, BACK = walk(range(10), (100, 100), (5, 0)), walk(range(15, 40), (100, 100), (5, 0))
ELSEWHERE = walk(range(15, 40), (400, 300), (5, 0))


def pairs_of(result: LabelResult) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """(track, last frame) of the end, (track, first frame) of the start."""
    found = continuations(ReviewView(result))
    track_of, frame = result.hierarchy.track_of, result.candidates.frame
    ends = [
        ((int(track_of[r[0]]), int(frame[r[-1]])), (int(track_of[r[0]]), int(frame[r[0]]))) for r in found.fragments
    ]
    return {(ends[a][0], ends[b][1]) for a, b in found.edge.T.tolist()}


@pytest.mark.parametrize(
    ("first", "second", "classes", "pairs", "reason"),
    [
        (GONE, BACK, [0, 0], {((0, 9), (1, 15))}, "one after the other"),
        (GONE, ELSEWHERE, [0, 0], {((0, 9), (1, 15))}, "anywhere in the image"),
        (GONE, BACK, [0, 1], set(), "of different classes"),
        (walk(range(30), (0, 0)), BACK, [0, 0], {((0, 29), (1, 15))}, "an end that slipped onto something else"),
        (walk(range(37), (0, 0)), BACK, [0, 0], set(), "more than 2 s at the same time"),
        (walk(range(30), (0, 0)), walk(range(15, 25), (9, 9)), [0, 0], set(), "one within the other"),
        (walk(range(30), (0, 0)), walk(range(30), (90, 90)), [0, 0], set(), "at the same time"),
    ],
)
def test_a_track_may_go_on_where_another_starts(
    first: Tracklet, second: Tracklet, classes: list[int], pairs: set[object], reason: str
) -> None:
    assert pairs_of(result_of([first], [second], classes=classes)) == pairs, reason


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 79), st.integers(1, 30), st.integers(0, 1)), max_size=8), st.integers(0, 3))
def test_the_search_finds_all_pairs_within_reach(spans: list[tuple[int, int, int]], longest: float) -> None:
    tracks = [walk(range(a, min(a + n, 80)), (40 * i, 100)) for i, (a, n, _) in enumerate(spans)]
    classes = [class_id for *_, class_id in spans]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "LONGEST_GAP", float(longest))
        found = pairs_of(result_of(*([track] for track in tracks), classes=classes))
    ends = [(track[0][0], track[-1][0]) for track in tracks]
    expected = {
        ((i, ends[i][1]), (j, ends[j][0]))
        for i, j in product(range(len(ends)), repeat=2)
        if i != j
        and classes[i] == classes[j]
        and ends[j][0] > ends[i][0]
        and ends[j][1] > ends[i][1]
        and ends[i][1] - 20 <= ends[j][0] < ends[i][1] + 10 * longest
    }
    assert found == expected


def feature(result: LabelResult, name: str) -> float:
    found = continuations(ReviewView(result))
    assert len(found.features) == 1
    return float(found.features[0, PAIR_FEATURES.index(name)])


def test_the_features_say_how_far_apart_in_space_and_time_the_two_are() -> None:
    near, far = result_of([GONE], [BACK]), result_of([GONE], [ELSEWHERE])
    assert feature(near, "log gap") == pytest.approx(np.log(0.1 + 0.6))
    assert feature(near, "overlap") == 0
    assert feature(near, "log distance") < feature(far, "log distance")
    slipped = result_of([walk(range(25), (100, 100))], [BACK])
    assert feature(slipped, "overlap") == pytest.approx(-0.9)
    child = [(frame, (x1, y1 + 25, x1 + 10, y2)) for frame, (x1, y1, _, y2) in BACK]
    assert feature(result_of([GONE], [child]), "log height ratio") == pytest.approx(np.log(2))


def test_what_the_network_said_of_the_link_is_a_feature() -> None:
    silent, told = result_of([GONE], [BACK]), result_of([GONE], [BACK], links=[(0, 1, 0.2, False)])
    assert (feature(silent, "link"), feature(silent, "has link")) == (0, 0)
    assert feature(told, "link") == pytest.approx(-np.log(4))
    assert feature(told, "has link") == 1


def test_rejected_boxes_may_be_where_a_track_goes_on() -> None:
    result = result_of([GONE], loose=BACK)
    assert pairs_of(result) == {((0, 9), (-1, 15))}
    assert feature(result, "rejected") == 1
    assert feature(result, "rejected log boxes") == pytest.approx(np.log(25))
    assert feature(result_of([GONE], [BACK]), "rejected") == 0


def test_by_the_shipped_odds_nearer_likelier_and_longer_go_before() -> None:
    def chance(result: LabelResult) -> float:
        return float(shipped_odds().probability(CONTINUATION, continuations(ReviewView(result)).features)[0])

    assert chance(result_of([GONE], [ELSEWHERE])) < chance(result_of([GONE], [BACK]))
    doubted, liked = (result_of([GONE], [BACK], links=[(0, 1, p, False)]) for p in (0.01, 0.49))
    assert chance(doubted) < chance(liked)


def asked(result: LabelResult, *probability: float) -> list[Query]:
    """Questions where the pairs have these chances."""
    view = ReviewView(result)
    found = continuations(view)
    return [
        draft.worded(0.5) for draft in next_drafts(view, found, np.array(probability or [0.5] * found.edge.shape[1]))
    ]


def test_the_question_is_which_comes_next_the_likeliest_first() -> None:
    result = result_of([GONE], [ELSEWHERE], [BACK])
    for chances, order in (((0.2, 0.6), [{2}, {1}]), ((0.6, 0.2), [{1}, {2}])):
        (query,) = asked(result, *chances)
        assert (query.kind, query.topic, query.expected) == (QueryKind.ASSOCIATION, Topic.NEXT, "nobody")
        assert (tracks_of(result, query.subject), frames_of(query.subject)[-1]) == ({0}, 9)
        assert [tracks_of(result, option) for option in query.options] == order


@pytest.mark.parametrize(
    ("chances", "shown", "reason"),
    [
        ([0.9 - 0.1 * i for i in range(8)], 7, "as many as there are letters"),
        ([0.5, 0.1, 0, 0, 0, 0, 0, 0], 2, "not those that people said to differ"),
        ([0.0] * 8, 0, "all said to differ"),
        ([1e-5] * 8, 0, "none is likely"),
    ],
)
def test_up_to_seven_that_may_be_it_are_shown(chances: list[float], shown: int, reason: str) -> None:
    others = [[walk(range(15, 80), (40 * i, 300))] for i in range(8)]
    found = asked(result_of([GONE], *others), *chances)
    assert [len(query.options) for query in found] == ([shown] if shown else []), reason


def test_the_stake_is_what_the_options_gain_by_their_chances() -> None:
    view = ReviewView(result_of([GONE], [BACK], loose=ELSEWHERE[:4]))
    found = continuations(view)
    assert [len(rows) for rows in found.fragments] == [10, 25, 4]
    assert found.edge.tolist() == [[0, 0], [1, 2]]
    (draft,) = next_drafts(view, found, np.array([0.3, 0.1]))
    assert draft.features == pytest.approx((0.4,))
    assert draft.stake == pytest.approx((0.3 * stakes.parts(10, 25) + 0.1 * stakes.missed_part(4, 10)) / 0.4)


@pytest.mark.parametrize(
    "result",
    [result_of(), result_of([GONE]), result_of(loose=GONE), unpushed(result_of([GONE], [BACK]))],
    ids=["an empty clip", "one track", "no track", "nothing pushed"],
)
def test_where_nothing_can_go_on_nothing_is_asked(result: LabelResult) -> None:
    assert asked(result) == []


class TestPlaces:
    def places(self, result: LabelResult) -> list[Query]:
        return [draft.worded(0.5) for draft in place_drafts(ReviewView(result))]

    @pytest.mark.parametrize(
        ("max_gap", "topic"), [(0.0, Topic.PLACE), (0.4, Topic.PLACE), (0.5, Topic.FILLED), (2.0, Topic.FILLED)]
    )
    def test_in_the_middle_of_a_gap_it_is_asked_for(self, max_gap: float, topic: Topic) -> None:
        (query,) = self.places(result_of([[*GONE, *BACK]], max_gap=max_gap))
        assert (query.kind, query.topic, query.clicks) == (QueryKind.LOCALIZATION, topic, 2)
        (proposal,) = query.subject
        assert query.between is not None
        assert frames_of(query.between) == [9, 15]
        assert proposal.frame == 12
        assert proposal.box == pytest.approx((160, 100, 180, 150))
        assert proposal.is_drawn

    @pytest.mark.parametrize(("missing", "count"), [(0, 0), (2, 0), (3, 1), (50, 1)])
    def test_short_gaps_are_left_to_the_straight_line(self, missing: int, count: int) -> None:
        track = [*GONE, *walk(range(10 + missing, 80), (100, 100), (5, 0))]
        assert len(self.places(result_of([track]))) == count

    def test_each_gap_of_a_pushed_track_is_asked_about(self) -> None:
        track = [*GONE, *BACK, *walk(range(60, 80), (0, 0))]
        assert [query.subject[0].frame for query in self.places(result_of([track]))] == [12, 49]
        assert self.places(unpushed(result_of([track]))) == []

    def test_a_gap_that_takes_several_boxes_is_worth_less_a_click(self) -> None:
        def stake(missing: int, max_gap: float = 0.0) -> float:
            track = [*GONE, *walk(range(10 + missing, 80), (100, 100), (5, 0))]
            (draft,) = place_drafts(ReviewView(result_of([track], max_gap=max_gap)))
            return draft.stake

        assert stake(20) == pytest.approx(stakes.missed_part(20, 60))  # 2 s: one box leaves no gap of 1.5 s
        assert stake(40) == pytest.approx(stakes.missed_part(40, 40) / 2)
        assert stake(10, max_gap=1.5) == stakes.false_boxes(10) + stakes.missed_track(10)

    @given(st.integers(0, 10**6), st.integers(0, 10**5))
    def test_the_number_of_a_drawn_box_is_ever_the_same_and_no_candidates(self, before: int, frame: int) -> None:
        number = drawn_id(before, frame)
        assert -(2**63) < number < -1
        assert number == drawn_id(before, frame)
        assert len({number, drawn_id(before + 1, frame), drawn_id(before, frame + 1)}) == 3

"""What the questions about tracks, links and boxes are about, on hand-made tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.active.questions import (
    Draft,
    ReviewView,
    crossing_drafts,
    fit_drafts,
    gap_drafts,
    missed_drafts,
    run_drafts,
    stakes,
    track_drafts,
)
from spam_model.active.questions.crossings import FEATURES as CROSSING_FEATURES
from spam_model.active.questions.crossings import crossings
from spam_model.active.questions.outgoing import NodeMembers, outgoing_links
from spam_model.active.track_review import BUILDERS
from spam_model.values import OPTION_LETTERS, Anchor, LabelResult, Level, Query, QueryKind, Topic
from tests.spam_model.active.worlds import (
    Tracklet,
    frames_of,
    result_of,
    tracks_of,
    unpushed,
    walk,
    with_probability,
    with_scores,
)

Build = Callable[[ReviewView], Iterable[Draft]]

# Two people walk towards each other on one line and meet in frame 20: an X in time and place.
LEFT, RIGHT = walk(range(41), (100, 100), (5, 0)), walk(range(41), (300, 100), (-5, 0))


def drafts(build: Build, result: LabelResult) -> list[Draft]:
    return list(build(ReviewView(result)))


def queries(build: Build, result: LabelResult) -> list[Query]:
    return [draft.worded(0.5) for draft in drafts(build, result)]


def expected_option(query: Query) -> tuple[Anchor, ...]:
    return query.options[OPTION_LETTERS.index(query.expected)]


class TestCrossings:
    def feature(self, result: LabelResult, name: str) -> float:
        (draft,) = drafts(crossing_drafts, result)
        return draft.features[CROSSING_FEATURES.index(name)]

    def test_an_x_is_one_crossing(self) -> None:
        (crossing,) = crossings(result_of([LEFT], [RIGHT]).labels)
        assert crossing.start <= 20 <= crossing.end
        assert crossing.end - crossing.start < 10
        assert crossing.overlap == pytest.approx(1.0)

    def test_parallel_walkers_do_not_cross(self) -> None:
        beside = walk(range(41), (125, 100), (5, 0))
        assert list(crossings(result_of([LEFT], [beside]).labels)) == []

    def test_a_person_and_a_car_are_not_taken_for_each_other(self) -> None:
        assert list(crossings(result_of([LEFT], [RIGHT], classes=[0, 1]).labels)) == []

    def test_two_meetings_are_two_crossings(self) -> None:
        there_and_back = [*walk(range(41), (100, 100), (5, 0)), *walk(range(41, 80), (500, 100), (-5, 0))]
        standing = walk(range(80), (200, 100))
        found = list(crossings(result_of([there_and_back], [standing]).labels))
        assert len(found) == 2
        assert found[0].end < 40 < found[1].start

    def test_a_short_look_apart_is_one_crossing(self) -> None:
        swaying = [(frame, (200 + 30 * (frame % 4 == 2), 100, 220 + 30 * (frame % 4 == 2), 150)) for frame in range(40)]
        assert len(list(crossings(result_of([swaying], [walk(range(40), (200, 100))]).labels))) == 1

    def test_a_crossing_is_found_where_a_track_is_broken_and_filled(self) -> None:
        broken = [*LEFT[:17], *LEFT[24:]]
        assert list(crossings(result_of([broken], [RIGHT]).labels)) == []
        assert len(list(crossings(result_of([broken], [RIGHT], max_gap=2.0).labels))) == 1

    def test_the_question_is_who_of_the_two_comes_out(self) -> None:
        result = result_of([LEFT], [RIGHT])
        (crossing,) = crossings(result.labels)
        (query,) = queries(crossing_drafts, result)
        (mine,) = tracks_of(result, query.subject)
        assert (query.kind, query.topic, query.expected) == (QueryKind.ASSOCIATION, Topic.CROSSING, "A")
        assert max(frames_of(query.subject)) < crossing.start
        assert [tracks_of(result, option) for option in query.options] == [{mine}, {1 - mine}]
        assert min(frame for option in query.options for frame in frames_of(option)) > crossing.end

    def test_a_track_that_ends_in_the_crossing_leaves_the_other_to_be_asked_about(self) -> None:
        result = result_of([LEFT[:20]], [RIGHT])
        (query,) = queries(crossing_drafts, result)
        assert tracks_of(result, query.subject) == {1}
        assert [tracks_of(result, option) for option in query.options] == [{1}]

    def test_nothing_is_asked_where_nothing_comes_after(self) -> None:
        assert drafts(crossing_drafts, result_of([LEFT[:20]], [RIGHT[:20]])) == []

    def test_the_more_two_cover_each_other_the_larger_the_overlap(self) -> None:
        passing_by = walk(range(41), (300, 128), (-5, 0))  # overlaps with the lower part only
        near, far = (self.feature(result_of([LEFT], [other]), "overlap²") for other in (RIGHT, passing_by))
        assert near == pytest.approx(1.0)
        assert 0 < far < near

    def test_the_ways_tell_a_swap_from_two_who_walk_on(self) -> None:
        """The margin compares the ways with the swapped ones: above 0, swapped fits better."""
        near, far = LEFT, walk(range(41), (300, 120), (-5, 0))
        right, wrong = result_of([near], [far]), result_of([[*near[:20], *far[20:]]], [[*far[:20], *near[20:]]])
        assert self.feature(right, "margin") < 0 < self.feature(wrong, "margin")
        assert self.feature(right, "residual") < self.feature(wrong, "residual")

    def test_size_tells_a_swap_as_well(self) -> None:
        child = [(frame, (x1, y1 + 20, x1 + 12, y2)) for frame, (x1, y1, _, y2) in RIGHT]
        right, wrong = result_of([LEFT], [child]), result_of([[*LEFT[:20], *child[20:]]], [[*child[:20], *LEFT[20:]]])
        assert self.feature(right, "size margin") < 0 < self.feature(wrong, "size margin")

    def test_the_weakest_link_through_the_crossing_is_the_least_sure_one(self) -> None:
        parts = [LEFT[:10], LEFT[10:19], LEFT[19:22], LEFT[22:]]
        links = [(0, 1, 0.6, True), (1, 2, 0.8, True), (2, 3, 0.9, True)]  # the first is long before
        assert self.feature(result_of(parts, [RIGHT], links=links), "weakest link") == pytest.approx(np.log(4))

    def test_of_long_tracks_more_is_at_stake(self) -> None:
        long, short = (drafts(crossing_drafts, result_of([LEFT[a:b]], [RIGHT[a:b]])) for a, b in ((0, 41), (10, 31)))
        assert long[0].stake > short[0].stake > 0
        assert {draft.clicks for draft in (*long, *short)} == {1}


class TestGaps:
    PARTS = (walk(range(10), (100, 100)), walk(range(15, 40), (100, 100)))
    OTHER = walk(range(15, 40), (300, 100))

    def test_a_link_over_a_gap_is_asked_about(self) -> None:
        result = result_of([*self.PARTS], [self.OTHER], links=[(0, 1, 0.7, True), (0, 2, 0.2, False)])
        (query,) = queries(gap_drafts, result)
        assert (query.kind, query.topic, query.expected) == (QueryKind.ASSOCIATION, Topic.GAP, "A")
        assert (frames_of(query.subject)[-1], [frames_of(option)[0] for option in query.options]) == (9, [15, 15])
        assert [tracks_of(result, option) for option in query.options] == [{0}, {1}]

    def test_a_chosen_link_that_is_not_the_likeliest_is_still_the_expected_one(self) -> None:
        result = result_of([*self.PARTS], [self.OTHER], links=[(0, 1, 0.6, True), (0, 2, 0.7, False)])
        (query,) = queries(gap_drafts, result)
        assert tracks_of(result, expected_option(query)) == {0}

    @pytest.mark.parametrize(
        ("result", "reason"),
        [
            (result_of([walk(range(10), (9, 9)), walk(range(10, 40), (9, 9))], links=[(0, 1, 0.7, True)]), "no gap"),
            (result_of([PARTS[0]], [PARTS[1]], links=[(0, 1, 0.4, False)]), "a link that was not chosen"),
            (result_of([PARTS[0]], [PARTS[1]], links=[(0, 1, 0.7, True)]), "a link that people cut"),
            (unpushed(result_of([*PARTS], links=[(0, 1, 0.7, True)])), "a track that was held back"),
        ],
    )
    def test_of_other_links_nothing_is_asked(self, result: LabelResult, reason: str) -> None:
        assert drafts(gap_drafts, result) == [], reason

    def test_the_odds_depend_on_the_link_its_rival_and_the_gap(self) -> None:
        result = result_of([*self.PARTS], [self.OTHER], links=[(0, 1, 0.8, True), (0, 2, 0.2, False)])
        (draft,) = drafts(gap_drafts, result)
        assert draft.features == pytest.approx([np.log(4), -np.log(4), np.log(0.6), np.log(10), np.log(25)])
        assert draft.stake == pytest.approx(stakes.parts(10, 25))

    def test_more_partners_than_letters_keep_the_chosen_one(self) -> None:
        others = [[walk(range(15, 20), (100 + 30 * i, 100))] for i in range(8)]
        likelier = [(0, 2 + i, 0.9 - 0.05 * i, False) for i in range(8)]
        parts = [self.PARTS[0], walk(range(15, 20), (340, 100))]
        result = result_of(parts, *others, links=[(0, 1, 0.1, True), *likelier])
        (query,) = queries(gap_drafts, result)
        assert len(query.options) == 7
        assert tracks_of(result, expected_option(query)) == {0}


class TestTracks:
    def test_there_is_one_question_per_track_about_all_of_it(self) -> None:
        result = result_of([LEFT], [walk(range(5), (500, 300)), walk(range(9, 12), (500, 300))], loose=RIGHT)
        found = queries(track_drafts, result)
        assert [tracks_of(result, query.subject) for query in found] == [{0}, {1}]
        assert frames_of(found[1].subject) == [0, 1, 2, 3, 4, 9, 10, 11]
        assert all(query.kind is QueryKind.DETECTION and query.level > 0 for query in found)

    def test_a_track_that_was_held_back_is_another_question(self) -> None:
        pushed = result_of([LEFT])
        ((shown,), (held,)) = (drafts(track_drafts, result) for result in (pushed, unpushed(pushed)))
        assert [(d.topic, d.worded(0.1).expected) for d in (shown, held)] == [("track", "yes"), ("dropped", "no")]
        assert (shown.stake, held.stake) == (stakes.false_boxes(41), stakes.missed_track(41))
        assert shown.features == held.features


class TestRuns:
    TRACK = walk(range(40), (100, 100))

    @pytest.mark.parametrize(
        ("doubtful", "runs", "reason"),
        [
            (range(0), [], "nothing is in doubt"),
            (range(5), [[0, 1, 2, 3, 4]], "a stretch at an end"),
            ([10, 11, 20], [[10, 11], [20]], "two stretches"),
            (range(20, 36), [], "more than 1.5 s: that is the track's question"),
        ],
    )
    def test_unbroken_stretches_of_doubtful_boxes_are_asked_about(
        self, doubtful: Sequence[int], runs: list[list[int]], reason: str
    ) -> None:
        found = queries(run_drafts, with_probability(result_of([self.TRACK]), doubtful, 0.4))
        assert [frames_of(query.subject) for query in found] == runs, reason
        assert {(query.kind, query.topic, query.expected) for query in found} <= {("detection", "run", "yes")}

    def test_a_track_that_is_all_doubtful_is_no_run(self) -> None:
        assert drafts(run_drafts, result_of([self.TRACK[:5]], probability=0.4)) == []

    def test_a_track_that_was_held_back_has_none(self) -> None:
        assert drafts(run_drafts, unpushed(with_probability(result_of([self.TRACK]), range(5), 0.4))) == []

    @pytest.mark.parametrize(("start", "at_an_end"), [(0, 1.0), (35, 1.0), (20, 0.0)])
    def test_a_stretch_at_an_end_is_told_from_one_inside(self, start: int, at_an_end: float) -> None:
        result = with_probability(result_of([self.TRACK]), range(start, start + 5), 0.4)
        (draft,) = drafts(run_drafts, result)
        assert draft.features[3] == at_an_end
        assert draft.stake == stakes.false_part(5, 35)


class TestMissed:
    TRACK = walk(range(5), (100, 100))

    def chains(self, result: LabelResult) -> list[list[int]]:
        found = queries(missed_drafts, result)
        assert {(query.kind, query.topic, query.expected) for query in found} <= {("detection", "missed", "no")}
        return sorted(frames_of(query.subject) for query in found)

    def test_a_rejected_box_on_a_label_is_left_out(self) -> None:
        assert self.chains(result_of([self.TRACK], loose=walk(range(5), (104, 100)))) == []

    def test_unless_the_label_is_of_another_class(self) -> None:
        assert len(self.chains(result_of([self.TRACK], loose=walk(range(5), (104, 100)), classes=[1]))) == 1

    def test_what_a_person_rejected_is_left_out(self) -> None:
        result = result_of([self.TRACK], loose=walk(range(8), (300, 100)))
        assert self.chains(with_probability(result, range(3), 0.0, tracked=False)) == [[3, 4, 5, 6, 7]]

    @pytest.mark.parametrize(
        ("loose", "chains", "reason"),
        [
            (walk(range(8), (300, 100), (2, 0)), [list(range(8))], "one after the other"),
            (walk([0, 3, 6], (300, 100)), [[0, 3, 6]], "with small gaps"),
            (walk([0, 4], (300, 100)), [[0], [4]], "too far apart in time"),
            (walk([0, 1], (300, 100), (15, 0)), [[0], [1]], "too far apart in the image"),
            ([*walk([0, 1], (300, 100)), *walk([0, 1], (400, 100))], [[0, 1], [0, 1]], "two side by side"),
        ],
    )
    def test_rejected_boxes_are_asked_about_in_chains(
        self, loose: Tracklet, chains: list[list[int]], reason: str
    ) -> None:
        assert self.chains(result_of([self.TRACK], loose=loose)) == sorted(chains), reason

    def test_the_likelier_and_longer_the_chain_the_higher_its_features(self) -> None:
        def draft(length: int, probability: float) -> Draft:
            loose = walk(range(length), (300, 100))
            (one,) = drafts(missed_drafts, result_of([self.TRACK], loose=loose, loose_probability=probability))
            return one

        assert draft(5, 0.2).features[0] < draft(5, 0.4).features[0]
        assert draft(5, 0.2).features[2] < draft(9, 0.2).features[2]
        assert draft(5, 0.2).stake == stakes.missed_track(5)


class TestFit:
    def test_boxes_that_are_pushed_are_asked_about_one_by_one(self) -> None:
        result = result_of([LEFT[:5]], loose=walk(range(5), (300, 300)))
        result = with_scores(result, np.linspace(0.2, 0.9, 10))
        found = queries(fit_drafts, result)
        assert {(query.kind, query.topic, query.clicks) for query in found} == {("localization", "fit", 2)}
        assert all(len(query.subject) == 1 and query.between is None for query in found)
        assert {track for query in found for track in tracks_of(result, query.subject)} == {0}
        weak = result.candidates.score < np.percentile(result.candidates.score, 90)
        assert len(found) == (weak & (result.hierarchy.track_of == 0)).sum()

    def test_a_box_at_the_border_is_told_from_one_inside(self) -> None:
        inside, beside = (
            with_scores(result_of([walk(range(10), place)]), np.linspace(0.2, 0.9, 10))
            for place in ((300, 200), (5, 9))
        )
        (first, *_), (second, *_) = (drafts(fit_drafts, result) for result in (inside, beside))
        assert first.features[2] == 1.0 > second.features[2] == pytest.approx(5 / 50)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    "result",
    [result_of(), result_of([LEFT[:1]]), result_of([LEFT]), unpushed(result_of([LEFT], [RIGHT]))],
    ids=["an empty clip", "one box", "one track", "nothing pushed"],
)
def test_where_there_is_next_to_nothing_little_is_asked(build: Build, result: LabelResult) -> None:
    for draft in drafts(build, result):
        assert draft.topic in (Topic.TRACK, Topic.DROPPED)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_the_worth_of_a_question_is_chance_times_stake_per_click(build: Build) -> None:
    result = result_of(
        [LEFT[:15], LEFT[20:]], [RIGHT], loose=walk(range(9), (300, 300)), links=[(0, 1, 0.7, True)], max_gap=1.0
    )
    result = with_probability(with_scores(result, np.linspace(0.2, 0.9, len(result.candidates))), range(3), 0.4)
    found = drafts(build, result)
    assert found
    for draft in found:
        query = draft.worded(0.25)
        assert query.value == pytest.approx(0.25 * draft.stake / query.clicks)
        assert (query.clicks, query.topic, query.error_probability) == (draft.clicks, draft.topic, 0.25)
        assert np.isfinite(draft.features).all()
        assert draft.stake > 0


@given(st.integers(1, 500), st.integers(1, 500))
def test_joining_two_parts_gains_what_the_association_accuracy_gains(first: int, second: int) -> None:
    """By the definition: A of a box is the share of its object's boxes that its track holds."""
    whole = first + second
    apart = first * (first / whole) + second * (second / whole)
    assert stakes.parts(first, second) == pytest.approx((whole - apart) * stakes.ASSOCIATION)
    assert stakes.parts(first, 0) == stakes.parts(0, second) == 0
    assert stakes.missed_part(first, second) > stakes.false_part(first, second) > stakes.parts(first, second)


def test_outgoing_links_are_grouped_by_node_the_likeliest_first() -> None:
    level = Level(
        index=2,
        clip_length=4,
        node_of=np.array([2, 0, -1, 1, 0, 2]),
        edge=np.array([[2, 0, 2, 0, 2], [3, 2, 1, 1, 4]]),
        probability=np.array([0.2, 0.6, 0.7, 0.9, 0.4]),
        chosen=np.array([False, True, False, False, True]),
    )
    groups = list(outgoing_links(level))
    assert [links.node for links in groups] == [0, 2]
    assert [links.future.tolist() for links in groups] == [[1, 2], [1, 4, 3]]
    assert [links.probability.tolist() for links in groups] == [[0.9, 0.6], [0.7, 0.4, 0.2]]
    assert [links.chosen for links in groups] == [1, 1]
    assert groups[0].error_probability == pytest.approx(0.4)
    assert groups[1].uncertainty == pytest.approx(-(0.4 * np.log(0.4) + 0.6 * np.log(0.6)))
    members = NodeMembers(level)
    assert [members[node].tolist() for node in range(4)] == [[1, 4], [3], [0, 5], []]


def test_without_a_choice_the_error_is_that_any_link_is_true() -> None:
    level = Level(1, 2, np.array([0, 1, 2]), np.array([[0, 0], [1, 2]]), np.array([0.5, 0.2]), np.zeros(2, bool))
    (links,) = outgoing_links(level)
    assert links.chosen == -1
    assert links.error_probability == pytest.approx(1 - 0.5 * 0.8)

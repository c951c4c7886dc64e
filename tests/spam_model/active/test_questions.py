"""What the questions of each kind are about, on hand-made tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model.active.questions import (
    box_questions,
    crossing_questions,
    link_questions,
    localization_questions,
    track_questions,
)
from spam_model.active.questions.crossings import crossings
from spam_model.active.questions.outgoing import NodeMembers, outgoing_links
from spam_model.values import Anchor, LabelResult, Level, Query, QueryKind
from tests.spam_model.active.worlds import result_of, walk


def frames(anchors: tuple[Anchor, ...]) -> list[int]:
    return [anchor.frame for anchor in anchors]


def tracks_of(result: LabelResult, anchors: tuple[Anchor, ...]) -> set[int]:
    rows = result.candidates.rows_of(np.array([anchor.candidate_id for anchor in anchors]))
    assert (rows >= 0).all()
    return set(result.hierarchy.track_of[rows].tolist())


# Two people walk towards each other on one line and meet in frame 20: an X in time and place.
LEFT, RIGHT = walk(range(41), (100, 100), (5, 0)), walk(range(41), (300, 100), (-5, 0))


class TestCrossings:
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

    @pytest.mark.parametrize("tracks", [[], [[LEFT]]], ids=["no track", "one track"])
    def test_where_there_is_nobody_to_cross_nothing_is_found(self, tracks: list[list[list[object]]]) -> None:
        result = result_of(*tracks)  # type: ignore[arg-type]
        assert list(crossings(result.labels)) == []
        assert list(crossing_questions(result)) == []

    def test_the_question_is_who_of_the_two_comes_out(self) -> None:
        result = result_of([LEFT], [RIGHT])
        (crossing,) = crossings(result.labels)
        (query,) = crossing_questions(result)
        (mine,) = tracks_of(result, query.subject)
        assert query.kind is QueryKind.ASSOCIATION
        assert max(frames(query.subject)) < crossing.start
        assert [tracks_of(result, option) for option in query.options] == [{mine}, {1 - mine}]
        assert min(frame for option in query.options for frame in frames(option)) > crossing.end

    def test_a_track_that_ends_in_the_crossing_leaves_the_other_to_be_asked_about(self) -> None:
        result = result_of([LEFT[:20]], [RIGHT])
        (query,) = crossing_questions(result)
        assert tracks_of(result, query.subject) == {1}
        assert [tracks_of(result, option) for option in query.options] == [{1}]

    def test_nothing_is_asked_where_nothing_comes_after(self) -> None:
        assert list(crossing_questions(result_of([LEFT[:20]], [RIGHT[:20]]))) == []

    def test_the_more_two_cover_each_other_the_more_is_expected_of_the_question(self) -> None:
        passing_by = walk(range(41), (300, 128), (-5, 0))  # overlaps with the lower part only
        (near,), (far,) = (crossing_questions(result_of([LEFT], [other])) for other in (RIGHT, passing_by))
        assert near.value > far.value > 0


class TestLinks:
    PARTS = (walk(range(10), (100, 100)), walk(range(15, 40), (100, 100)))
    OTHER = walk(range(15, 40), (300, 100))

    def test_a_link_over_a_gap_is_asked_about(self) -> None:
        result = result_of([*self.PARTS], [self.OTHER], links=[(0, 1, 0.7, True), (0, 2, 0.2, False)])
        (query,) = link_questions(result)
        assert query.kind is QueryKind.ASSOCIATION
        assert (frames(query.subject)[-1], [frames(option)[0] for option in query.options]) == (9, [15, 15])
        assert [tracks_of(result, option) for option in query.options] == [{0}, {1}]
        assert query.boxes_decided == 10  # the shorter part is lost if the link is wrong

    def test_a_link_between_neighbouring_frames_is_not(self) -> None:
        parts = [walk(range(10), (100, 100)), walk(range(10, 40), (100, 100))]
        assert list(link_questions(result_of(parts, links=[(0, 1, 0.7, True)]))) == []

    def test_where_a_track_ends_the_missing_link_is_asked_about(self) -> None:
        result = result_of([self.PARTS[0]], [self.PARTS[1]], links=[(0, 1, 0.4, False)])
        (query,) = link_questions(result)
        assert tracks_of(result, query.subject) == {0}
        assert [tracks_of(result, option) for option in query.options] == [{1}]
        assert query.value > 0

    def test_a_surer_link_is_worth_less_and_a_longer_part_more(self) -> None:
        def value(probability: float, length: int) -> float:
            parts = [walk(range(length), (100, 100)), walk(range(length + 5, 80), (100, 100))]
            (query,) = link_questions(result_of(parts, links=[(0, 1, probability, True)]))
            return query.value

        assert value(0.95, 10) < value(0.6, 10) < value(0.6, 20)

    def test_a_hypothesis_of_a_track_that_goes_on_elsewhere_is_no_end(self) -> None:
        links = [(0, 1, 0.9, True), (0, 2, 0.3, False)]
        result = result_of([self.PARTS[0], walk(range(10, 40), (100, 100))], [self.OTHER], links=links)
        assert list(link_questions(result)) == []

    def test_an_end_that_two_levels_saw_is_asked_about_once(self) -> None:
        result = result_of([self.PARTS[0]], [self.PARTS[1]], links=[(0, 1, 0.4, False)])
        hierarchy = replace(result.hierarchy, levels=result.hierarchy.levels * 2)
        doubled = replace(result, hierarchy=hierarchy)
        assert len(list(link_questions(doubled))) == 1

    def test_more_partners_than_letters_keep_the_chosen_one(self) -> None:
        others = [[walk(range(15, 20), (100 + 30 * i, 100))] for i in range(8)]
        likelier = [(0, 2 + i, 0.9 - 0.05 * i, False) for i in range(8)]
        parts = [self.PARTS[0], walk(range(15, 20), (340, 100))]
        result = result_of(parts, *others, links=[(0, 1, 0.1, True), *likelier])
        (query,) = link_questions(result)
        assert len(query.options) == 7
        assert tracks_of(result, query.options[-1]) == {0}


class TestBoxes:
    TRACK = walk(range(5), (100, 100))

    def loose(self, result: LabelResult) -> list[Query]:
        return [query for query in box_questions(result) if tracks_of(result, query.subject) == {-1}]

    def test_every_box_of_a_track_can_be_asked_about(self) -> None:
        queries = list(box_questions(result_of([self.TRACK])))
        assert sorted(frames(query.subject)[0] for query in queries) == list(range(5))
        assert all(len(query.subject) == 1 for query in queries)

    def test_a_rejected_box_on_a_label_is_left_out(self) -> None:
        assert self.loose(result_of([self.TRACK], loose=walk(range(5), (104, 100)))) == []

    def test_unless_the_label_is_of_another_class(self) -> None:
        assert len(self.loose(result_of([self.TRACK], loose=walk(range(5), (104, 100)), classes=[1]))) == 1

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
        self, loose: list[object], chains: list[list[int]], reason: str
    ) -> None:
        result = result_of([self.TRACK], loose=loose)  # type: ignore[arg-type]
        got = sorted(frames(query.subject) for query in self.loose(result))
        assert got == sorted(chains), reason

    def test_the_likelier_a_wrong_decision_the_more_it_is_worth(self) -> None:
        def values(kept: float, rejected: float) -> tuple[float, float]:
            result = result_of([self.TRACK], loose=walk([0], (300, 100)), probability=kept, loose_probability=rejected)
            (loose,) = self.loose(result)
            return next(q.value for q in box_questions(result) if q is not loose), loose.value

        sure, unsure = values(0.99, 0.01), values(0.7, 0.3)
        assert sure[0] < unsure[0]
        assert sure[1] < unsure[1]

    def test_what_people_settled_is_worth_nothing(self) -> None:
        result = result_of([self.TRACK], loose=walk([0], (300, 100)), probability=1.0, loose_probability=0.0)
        assert [query.value for query in box_questions(result)] == [0.0] * 6

    def test_rectangles_are_for_boxes_that_are_pushed(self) -> None:
        result = result_of([self.TRACK], loose=walk(range(5), (300, 100)))
        queries = list(localization_questions(result))
        assert {query.kind for query in queries} == {QueryKind.LOCALIZATION}
        assert sorted(frames(query.subject)[0] for query in queries) == list(range(5))
        assert {track for query in queries for track in tracks_of(result, query.subject)} == {0}

    def test_a_rectangle_is_worth_more_where_the_detector_was_unsure(self) -> None:
        low, high = (next(iter(localization_questions(result_of([self.TRACK], score=s)))) for s in (0.3, 0.9))
        assert low.value > high.value > 0


class TestTracks:
    def test_there_is_one_question_per_track_about_all_of_it(self) -> None:
        result = result_of([LEFT], [walk(range(5), (500, 300)), walk(range(9, 12), (500, 300))], loose=RIGHT)
        queries = list(track_questions(result))
        assert [tracks_of(result, query.subject) for query in queries] == [{0}, {1}]
        assert frames(queries[1].subject) == [0, 1, 2, 3, 4, 9, 10, 11]
        assert all(query.kind is QueryKind.DETECTION and query.level > 0 for query in queries)

    def test_a_doubtful_or_long_track_is_worth_more(self) -> None:
        def value(probability: float, length: int) -> float:
            (query,) = track_questions(result_of([LEFT[:length]], probability=probability))
            return query.value

        assert value(0.99, 10) < value(0.7, 10) < value(0.7, 20)

    def test_a_track_that_is_not_pushed_is_worth_more_the_likelier_it_is(self) -> None:
        def value(probability: float) -> float:
            result = result_of([LEFT], probability=probability)
            (query,) = track_questions(replace(result, labels=result_of().labels))
            return query.value

        assert value(0.1) < value(0.6)


@pytest.mark.parametrize(
    "questions", [box_questions, crossing_questions, link_questions, localization_questions, track_questions]
)
def test_about_an_empty_clip_nothing_is_asked(questions: object) -> None:
    assert list(questions(result_of())) == []  # type: ignore[operator]


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

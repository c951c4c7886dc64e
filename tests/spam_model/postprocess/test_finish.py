from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model import geometry
from spam_model.postprocess import PostprocessSettings, finish
from spam_model.values import (
    Anchor,
    Candidates,
    Constraint,
    ConstraintKind,
    Constraints,
    Hierarchy,
    Labels,
    Level,
    Source,
    binary_entropy,
)
from tests.spam_model.builders import clip_info
from tests.spam_model.graph.worlds import accept, must_link

INFO = clip_info(frame_count=60, frame_rate=30.0)
AS_GIVEN = PostprocessSettings(max_gap=0, smoothing=0, min_duration=0, min_best_score=0)


def walk(frames: list[int], x: float = 100.0, speed: float = 2.0) -> np.ndarray:
    """Boxes of 40 × 100 px, moving right."""
    left = x + speed * np.array(frames, float)
    return np.stack([left, np.full(len(frames), 200.0), left + 40, np.full(len(frames), 300.0)], axis=1)


def clip_of(tracks: list[tuple[list[int], np.ndarray, float]]) -> tuple[Candidates, np.ndarray]:
    """Candidates of tracks given as (frames, boxes, score), and their tracks in the candidates' order."""
    frame = np.concatenate([np.array(frames, int) for frames, _, _ in tracks])
    box = np.concatenate([boxes for _, boxes, _ in tracks])
    score = np.concatenate([np.full(len(frames), score) for frames, _, score in tracks])
    track = np.concatenate([np.full(len(frames), index) for index, (frames, _, _) in enumerate(tracks)])
    candidates = Candidates.build(INFO, frame, box, score)
    return candidates, track[candidates.id]


def hierarchy_of(track: np.ndarray, probability: float = 1.0, levels: tuple[Level, ...] = ()) -> Hierarchy:
    return Hierarchy(np.full(len(track), probability), track >= 0, levels, track)


def constraint(candidates: Candidates, kind: ConstraintKind, row: int, **more: object) -> Constraint:
    box = tuple(candidates.box[row].tolist())
    anchor = Anchor(int(candidates.id[row]), int(candidates.frame[row]), box, 0)
    return Constraint(kind, anchor, **more)  # type: ignore[arg-type]


def frames_of(labels: Labels, track: int) -> list[int]:
    return labels.frame[labels.rows(track)].tolist()


class TestTracks:
    def test_as_given_the_boxes_are_the_candidates(self) -> None:
        candidates, track = clip_of([([5, 6, 7], walk([5, 6, 7]), 0.9), ([0, 2], walk([0, 2], x=400), 0.4)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), AS_GIVEN)
        assert labels.track.tolist() == [1, 1, 2, 2, 2]
        assert labels.frame.tolist() == [0, 2, 5, 6, 7]
        assert labels.candidate_id.tolist() == [3, 4, 0, 1, 2]
        assert labels.score.tolist() == [0.4, 0.4, 0.9, 0.9, 0.9]
        assert np.allclose(labels.box[2:], walk([5, 6, 7]))

    def test_candidates_outside_tracks_and_empty_clips_give_no_labels(self) -> None:
        candidates, track = clip_of([([0, 1], walk([0, 1]), 0.9)])
        assert len(finish(candidates, hierarchy_of(np.full_like(track, -1)), Constraints())) == 0
        none = candidates.take(np.zeros(0, int))
        assert len(finish(none, hierarchy_of(np.zeros(0, int)), Constraints())) == 0

    def test_of_two_boxes_in_a_frame_the_stronger_stays_unless_a_person_took_the_other(self) -> None:
        candidates, _ = clip_of([([3], walk([3]), 0.9), ([3], walk([3], x=110), 0.6)])
        track = np.array([7, 7])
        assert finish(candidates, hierarchy_of(track), Constraints(), AS_GIVEN).candidate_id.tolist() == [0]
        accepted = Constraints((constraint(candidates, ConstraintKind.ACCEPT, 1),))
        assert finish(candidates, hierarchy_of(track), accepted, AS_GIVEN).candidate_id.tolist() == [1]

    def test_a_box_outside_the_image_is_left_out_and_one_across_its_border_stays_whole(self) -> None:
        outside = np.array([[-50.0, 10, -5, 90], [-30, 10, 20, 90], [600, 400, 700, 600]])
        candidates, track = clip_of([([0, 1, 2], outside, 0.9)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), AS_GIVEN)
        assert labels.box.tolist() == outside[1:].tolist()
        clipped = finish(candidates, hierarchy_of(track), Constraints(), PostprocessSettings(0, 0, 0, 0, clip=True))
        assert clipped.box.tolist() == [[0, 10, 20, 90], [600, 400, 640, 480]]


class TestFilter:
    SETTINGS = PostprocessSettings(max_gap=0, smoothing=0)

    def cases(self) -> tuple[Candidates, np.ndarray]:
        """A long strong track, a long weak one, a short strong one."""
        long, short = [*range(20)], [*range(11)]
        return clip_of([(long, walk(long), 0.9), (long, walk(long, 300), 0.5), (short, walk(short, 500), 0.9)])

    def test_short_and_weak_tracks_are_dropped(self) -> None:
        candidates, track = self.cases()
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.SETTINGS)
        assert labels.track_ids.tolist() == [1]
        assert len(labels) == 20

    def test_scores_of_a_timid_detector_are_judged_by_its_own_scale(self) -> None:
        frames = [*range(20)]
        candidates, track = clip_of([(frames, walk(frames), 0.45), (frames, walk(frames, 300), 0.15)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.SETTINGS)
        assert labels.score.tolist() == [0.45] * 20

    @pytest.mark.parametrize("which", [1, 2], ids=["weak", "short"])
    @pytest.mark.parametrize("kind", [ConstraintKind.ACCEPT, ConstraintKind.BOX, ConstraintKind.MUST_LINK])
    def test_a_track_that_a_person_vouches_for_stays(self, kind: ConstraintKind, which: int) -> None:
        candidates, track = self.cases()
        row, other = np.flatnonzero(track == which)[:2]
        box = tuple(candidates.box[row].tolist())
        more = {
            ConstraintKind.ACCEPT: {},
            ConstraintKind.BOX: {"box": box},
            ConstraintKind.MUST_LINK: {"second": constraint(candidates, ConstraintKind.ACCEPT, other).first},
        }[kind]
        constraints = Constraints((constraint(candidates, kind, row, **more),))
        labels = finish(candidates, hierarchy_of(track), constraints, self.SETTINGS)
        assert candidates.id[row] in labels.candidate_id
        assert len(labels.track_ids) == 2

    def test_a_box_that_a_person_drew_keeps_its_track(self) -> None:
        candidates = Candidates.build(
            INFO, np.array([4]), walk([4]), np.array([0.2]), source=np.array([Source.PERSON], int)
        )
        assert len(finish(candidates, hierarchy_of(np.array([0])), Constraints())) == 1

    def test_an_answer_about_a_candidate_that_is_gone_changes_nothing(self) -> None:
        candidates, track = self.cases()
        gone = Constraints((Constraint(ConstraintKind.ACCEPT, Anchor(999, 0, (0, 0, 1, 1), 0)),))
        labels = finish(candidates, hierarchy_of(track), gone, self.SETTINGS)
        assert labels.track_ids.tolist() == [1]

    @pytest.mark.parametrize(("frames", "needed"), [(1, 1), (2, 1), (5, 3), (24, 12), (60, 12)])
    def test_of_a_short_clip_half_its_frames_are_long_enough(self, frames: int, needed: int) -> None:
        """0.4 s are 12 frames."""
        info = replace(INFO, frame_count=frames)
        for count in (needed - 1, needed):
            track = np.zeros(count, int)
            candidates = Candidates.build(info, np.arange(count), walk([*range(count)]), np.full(count, 0.9))
            labels = finish(candidates, hierarchy_of(track), Constraints())
            assert len(labels) == (count if count == needed else 0)

    @pytest.mark.parametrize("clip", [False, True])
    @pytest.mark.parametrize("kind", [ConstraintKind.ACCEPT, ConstraintKind.MUST_LINK])
    def test_a_box_that_a_person_vouches_for_stays_when_smoothing_moves_it_out_of_the_image(
        self, kind: ConstraintKind, clip: bool
    ) -> None:
        """The weak box shows 2 px; its strong neighbours, outside already, pull it out."""
        frames = [*range(9)]
        boxes = walk(frames, x=-41.0, speed=0.0)
        boxes[4] += 3
        score = np.where(np.arange(9) == 4, 0.1, 0.9)
        candidates = Candidates.build(INFO, np.array(frames), boxes, score)
        settings = PostprocessSettings(smoothing=0.1, clip=clip)
        unsaid = finish(candidates, hierarchy_of(np.zeros(9, int)), Constraints(), settings)
        assert len(unsaid) == 0
        said = accept(candidates, 4) if kind is ConstraintKind.ACCEPT else must_link(candidates, 4, 5)
        labels = finish(candidates, hierarchy_of(np.zeros(9, int)), Constraints((said,)), settings)
        assert labels.frame.tolist() == ([4] if kind is ConstraintKind.ACCEPT else [4, 5])
        assert (geometry.sizes(labels.box) > 0).all()

    @pytest.mark.parametrize("clip", [False, True])
    def test_a_corrected_box_at_the_border_stays_as_drawn_or_is_cut(self, clip: bool) -> None:
        frames = [*range(15)]
        candidates, track = clip_of([(frames, walk(frames, x=590), 0.9)])
        box = (612.0, 190.0, 652.0, 310.0)
        said = constraint(candidates, ConstraintKind.BOX, 7, box=box)
        labels = finish(candidates, hierarchy_of(track), Constraints((said,)), PostprocessSettings(clip=clip))
        assert labels.box[labels.frame == 7].tolist() == [[612, 190, 640 if clip else 652, 310]]


class TestGaps:
    FILL = PostprocessSettings(smoothing=0, min_duration=0, min_best_score=0)

    @pytest.mark.parametrize(("missing", "filled"), [(1, True), (45, True), (46, False)])
    def test_gaps_up_to_max_gap_are_filled(self, missing: int, filled: bool) -> None:
        frames = [0, missing + 1]
        candidates, track = clip_of([(frames, walk(frames, speed=3.0), 0.9)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.FILL)
        assert frames_of(labels, 1) == ([*range(missing + 2)] if filled else frames)
        assert np.allclose(labels.box, walk(frames_of(labels, 1), speed=3.0))

    def test_filled_boxes_say_so_and_take_the_greater_uncertainty(self) -> None:
        candidates, track = clip_of([([0, 3], walk([0, 3]), 0.9)])
        hierarchy = Hierarchy(np.array([0.9, 0.6]), np.array([True, True]), (), track)
        labels = finish(candidates, hierarchy, Constraints(), self.FILL)
        assert labels.score.tolist() == [0.9, 0, 0, 0.9]
        assert labels.candidate_id.tolist() == [0, -1, -1, 1]
        assert labels.occluded.tolist() == [False, True, True, False]
        low, high = binary_entropy(np.array([0.9, 0.6]))
        assert labels.uncertainty.tolist() == [low, high, high, high]

    def test_a_stabilised_line_is_straight_in_the_scene_when_the_camera_shakes(self) -> None:
        shake = 25 * np.sin(np.arange(60) / 3.0)
        tracks = []
        for index in range(8):
            frames = [f for f in range(60) if not (index == 0 and 20 <= f < 30)]
            boxes = walk(frames, x=60.0 * index, speed=0.3 * (-1) ** index)
            boxes[:, [0, 2]] += shake[frames][:, None]
            tracks.append((frames, boxes, 0.9))
        candidates, track = clip_of(tracks)
        labels = finish(candidates, hierarchy_of(track), Constraints(), replace(self.FILL, stabilise=True))
        filled = labels.occluded
        expected = walk(labels.frame[filled].tolist(), x=0.0, speed=0.3)
        expected[:, [0, 2]] += shake[labels.frame[filled]][:, None]
        assert filled.sum() == 10
        assert geometry.iou_rows(labels.box[filled], expected).min() > 0.9


class TestConfirmedGaps:
    SETTINGS = PostprocessSettings(max_gap=0.1, max_confirmed_gap=1.0, smoothing=0, min_duration=0, min_best_score=0)
    SEEN = (0, 1, 12, 13, 30, 31)  # gaps of 10 and 16 frames; 0.1 s are 3 frames, 1.0 s are 30

    def labels(self, *pairs: tuple[int, int], settings: PostprocessSettings = SETTINGS) -> Labels:
        """Of one track, with must-links between places in ``SEEN``."""
        frames = [*self.SEEN]
        candidates, track = clip_of([(frames, walk(frames), 0.9)])
        links = tuple(must_link(candidates, a, b) for a, b in pairs)
        return finish(candidates, hierarchy_of(track), Constraints(links), settings)

    @pytest.mark.parametrize(
        ("pairs", "filled"),
        [
            ([], []),
            ([(0, 1)], []),
            ([(1, 2)], [*range(2, 12)]),
            ([(0, 3)], [*range(2, 12)]),
            ([(3, 0)], [*range(2, 12)]),
            ([(2, 5)], [*range(14, 30)]),
            ([(0, 5)], [*range(2, 12), *range(14, 30)]),
            ([(0, 2), (3, 4)], [*range(2, 12), *range(14, 30)]),
        ],
    )
    def test_a_gap_between_the_ends_of_a_must_link_is_filled_further(
        self, pairs: list[tuple[int, int]], filled: list[int]
    ) -> None:
        labels = self.labels(*pairs)
        assert labels.frame[labels.occluded].tolist() == filled
        assert np.allclose(labels.box, walk(labels.frame.tolist()))

    @pytest.mark.parametrize(("limit", "filled"), [(0.5, [*range(2, 12)]), (0.3, []), (0.0, [])])
    def test_it_has_a_limit_of_its_own_that_shortens_nothing(self, limit: float, filled: list[int]) -> None:
        labels = self.labels((0, 5), settings=replace(self.SETTINGS, max_confirmed_gap=limit))
        assert labels.frame[labels.occluded].tolist() == filled
        assert len(self.labels((0, 5), settings=replace(self.SETTINGS, max_gap=1.0, max_confirmed_gap=limit))) == 32

    @pytest.mark.parametrize("kind", [ConstraintKind.ACCEPT, ConstraintKind.BOX])
    def test_other_answers_confirm_no_gap(self, kind: ConstraintKind) -> None:
        frames = [*self.SEEN]
        candidates, track = clip_of([(frames, walk(frames), 0.9)])
        more = {"box": tuple(candidates.box[1].tolist())} if kind is ConstraintKind.BOX else {}
        said = Constraints((constraint(candidates, kind, 1, **more),))
        labels = finish(candidates, hierarchy_of(track), said, self.SETTINGS)
        assert not labels.occluded.any()

    def test_a_link_fills_no_gap_of_a_neighbour(self) -> None:
        one, other = [0, 20], [0, 20]
        candidates, track = clip_of([(one, walk(one), 0.9), (other, walk(other, x=400), 0.9)])
        link = must_link(candidates, *np.flatnonzero(track == 0).tolist())
        labels = finish(candidates, hierarchy_of(track), Constraints((link,)), self.SETTINGS)
        assert [len(frames_of(labels, number)) for number in (1, 2)] == [21, 2]


class TestSmoothing:
    SMOOTH = PostprocessSettings(max_gap=0, min_duration=0, min_best_score=0)

    @given(st.integers(0, 2**32 - 1))
    def test_a_steady_walk_is_left_where_it_is(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        frames = np.sort(rng.choice(60, rng.integers(1, 40), replace=False)).tolist()
        candidates, track = clip_of([(frames, walk(frames, speed=rng.uniform(-1, 8)), 0.9)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.SMOOTH)
        assert np.allclose(labels.box, candidates.box[: len(labels)], atol=1e-6)

    def test_jitter_becomes_smaller(self) -> None:
        frames = [*range(60)]
        noise = np.random.default_rng(0).normal(0, 2, (60, 4))
        candidates, track = clip_of([(frames, walk(frames) + noise, 0.9)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.SMOOTH)
        assert np.abs(labels.box - walk(frames)).mean() < 0.6 * np.abs(noise).mean()

    def test_a_weak_box_gives_way_to_its_strong_neighbours(self) -> None:
        frames = [*range(21)]
        boxes = walk(frames)
        boxes[10] += 12
        score = np.where(np.arange(21) == 10, 0.1, 0.9)
        candidates = Candidates.build(INFO, np.array(frames), boxes, score)
        labels = finish(candidates, hierarchy_of(np.zeros(21, int)), Constraints(), self.SMOOTH)
        assert np.abs(labels.box[10] - walk([10])[0]).max() < 1

    def test_a_corrected_box_is_never_moved_and_its_neighbours_follow(self) -> None:
        frames = [*range(60)]
        candidates, track = clip_of([(frames, walk(frames), 0.9)])
        box = (190.0, 190.0, 235.0, 310.0)
        constraints = Constraints((constraint(candidates, ConstraintKind.BOX, 30, box=box),))
        labels = finish(candidates, hierarchy_of(track), constraints, self.SMOOTH)
        assert tuple(labels.box[30].tolist()) == box
        assert labels.box[29, 0] > walk([29])[0, 0] + 1
        assert np.allclose(labels.box[[0, 59]], walk([0, 59]))

    def test_tracks_do_not_smooth_each_other(self) -> None:
        one, other = [*range(15)], [*range(15, 30)]
        candidates, track = clip_of([(one, walk(one), 0.9), (other, walk(other, x=400), 0.9)])
        labels = finish(candidates, hierarchy_of(track), Constraints(), self.SMOOTH)
        assert np.allclose(labels.box, candidates.box)


def test_uncertainty_is_that_of_the_most_uncertain_link_that_touches_the_box() -> None:
    candidates, track = clip_of([([0, 1, 2, 3], walk([0, 1, 2, 3]), 0.9)])
    first = Level(1, 2, np.array([0, 1, 2, 3]), np.array([[0, 2], [1, 3]]), np.array([0.9, 0.99]), np.array([True] * 2))
    second = Level(2, 4, np.array([0, 0, 1, 1]), np.array([[0], [1]]), np.array([0.95]), np.array([True]))
    labels = finish(candidates, hierarchy_of(track, 0.98, (first, second)), Constraints(), AS_GIVEN)
    entropy = binary_entropy(np.array([0.9, 0.95, 0.98]))
    assert labels.uncertainty == pytest.approx([entropy[0], entropy[0], entropy[1], entropy[2]])


ANY_SETTINGS = st.builds(
    PostprocessSettings,
    max_gap=st.sampled_from([0.0, 0.1, 1.5, 1e6]),
    max_confirmed_gap=st.sampled_from([0.0, 0.5, 1e6]),
    smoothing=st.sampled_from([0.0, 0.12, 3.0]),
    min_duration=st.sampled_from([0.0, 0.4, 10.0]),
    min_best_score=st.sampled_from([0.0, 0.85]),
    stabilise=st.booleans(),
    clip=st.booleans(),
)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 7, 60]), ANY_SETTINGS)
def test_labels_of_any_tracks_are_well_formed(seed: int, frames: int, postprocess: PostprocessSettings) -> None:
    """Boxes inside, across and outside the border; tracks broken anywhere; answers about some of them."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 60))
    corner, size = rng.uniform(-150, 700, (count, 2)), rng.uniform(0.1, 100, (count, 2))
    candidates = Candidates.build(
        replace(INFO, frame_count=frames),
        rng.integers(0, frames, count),
        np.concatenate([corner, corner + size], 1),
        rng.uniform(0.1, 1, count),
    )
    track = rng.integers(-1, 6, count)
    _, first = np.unique(track * 100 + candidates.frame, return_index=True)  # answers name one box of a frame at most
    vouched = [int(row) for row in rng.permutation(first) if track[row] >= 0][: rng.integers(0, 5)]
    items = [accept(candidates, row) for row in vouched]
    items += [must_link(candidates, a, b) for a in vouched for b in vouched if a < b and track[a] == track[b]]
    labels = finish(candidates, hierarchy_of(track), Constraints(tuple(items)), postprocess)
    assert labels.track_ids.tolist() == [*range(1, len(labels.track_ids) + 1)]
    firsts = [labels.frame[labels.rows(track)][0] for track in labels.track_ids]
    assert firsts == sorted(firsts)
    said = np.isin(labels.candidate_id, candidates.id[vouched])
    assert said.sum() == len(vouched)
    inside = geometry.clip_to_image(labels.box, INFO.width, INFO.height)
    assert (geometry.area(inside[~said]) > 0).all()
    assert np.isfinite(labels.box).all()
    assert (geometry.sizes(labels.box) > 0).all()
    if postprocess.clip:
        assert np.array_equal(inside[~said], labels.box[~said])
    longest = max(postprocess.max_gap, postprocess.max_confirmed_gap) * INFO.frame_rate
    broken = (np.diff(labels.track, prepend=-1) != 0) | (np.diff(labels.frame, prepend=-1) != 1)
    run = np.cumsum(broken | ~labels.occluded)
    assert (np.bincount(run, weights=labels.occluded) <= longest).all(), (
        "no run of filled boxes is longer than the limits"
    )
    real = labels.candidate_id >= 0
    assert (labels.occluded == ~real).all()
    assert len(np.unique(labels.candidate_id[real])) == real.sum()

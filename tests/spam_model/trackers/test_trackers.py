"""Both online trackers on clips of coloured patches whose detections are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spam_model.detectors.joint import JointDetections
from spam_model.geometry import iou_matrix
from spam_model.trackers.base import OnlineTracker, track_clip
from spam_model.trackers.siammot import SiamMotSettings, SiamMotTracker
from spam_model.trackers.tdt import TdtSettings, TdtTracker
from spam_model.values import Labels
from tests.spam_model.motion.worlds import ColourEyes, PatchClip, colour_model, straight

CROSSING = np.concatenate([straight(36, (20, 35), (3, 0)), straight(36, (140, 88), (-3, 0))])


def found_in(clip: PatchClip, frame: int, patches: list[int], score: float = 0.9, class_id: int = 0) -> JointDetections:
    """The given patches of a frame; a patch's embedding is the axis of its number."""
    box = clip.boxes(frame)[patches].reshape(len(patches), 4)
    embedding = np.eye(4, dtype=np.float32)[patches].reshape(len(patches), 4)
    return JointDetections(box, np.full(len(patches), score), np.full(len(patches), class_id), embedding)


def siammot() -> OnlineTracker:
    return SiamMotTracker(colour_model())


def tdt() -> OnlineTracker:
    return TdtTracker(30.0)


def run(tracker: OnlineTracker, clip: PatchClip, found: list[JointDetections]) -> Labels:
    return track_clip(tracker, clip, ColourEyes(found))


def numbers_on(labels: Labels, clip: PatchClip, patch: int) -> dict[int, int]:
    """The track number on a patch in every frame where a track lies on it."""
    result = {}
    for frame in range(clip.info.frame_count):
        rows = np.flatnonzero(labels.frame == frame)
        overlap = iou_matrix(labels.box[rows], clip.boxes(frame)[patch : patch + 1])[:, 0]
        if overlap.max(initial=0) > 0.5:
            result[frame] = int(labels.track[rows[overlap.argmax()]])
    return result


both = pytest.mark.parametrize("make", [siammot, tdt])


@both
def test_two_objects_keep_their_numbers(make: Callable[[], OnlineTracker]) -> None:
    clip = PatchClip(CROSSING)
    labels = run(make(), clip, [found_in(clip, frame, [0, 1]) for frame in range(36)])
    assert len(labels.track_ids) == 2
    for patch in (0, 1):
        on = numbers_on(labels, clip, patch)
        assert len(on) == 36
        assert len(set(on.values())) == 1
    assert (labels.score <= 1).all()


@both
def test_a_number_survives_frames_without_a_detection(make: Callable[[], OnlineTracker]) -> None:
    """SiamMOT sees the object all the same; TDT loses it and recognises it."""
    clip = PatchClip(CROSSING)
    labels = run(make(), clip, [found_in(clip, f, [0, 1] if f % 12 < 8 else [1]) for f in range(36)])
    on = numbers_on(labels, clip, 0)
    assert len(set(on.values())) == 1
    assert len(on) == (36 if make is siammot else 24)


@both
def test_weak_boxes_begin_no_track(make: Callable[[], OnlineTracker]) -> None:
    clip = PatchClip(CROSSING[:, :5])
    assert len(run(make(), clip, [found_in(clip, frame, [0, 1], score=0.3) for frame in range(5)])) == 0


@both
def test_an_empty_clip_gives_no_track(make: Callable[[], OnlineTracker]) -> None:
    clip = PatchClip(CROSSING[:, :4])
    assert len(run(make(), clip, [found_in(clip, frame, []) for frame in range(4)])) == 0


def test_siammot_keeps_a_hidden_object_in_memory_for_tau_frames() -> None:
    hidden = CROSSING.copy()
    hidden[0, 15:20] = np.nan
    clip = PatchClip(hidden)
    found = [found_in(clip, frame, [1] if 15 <= frame < 20 else [0, 1]) for frame in range(36)]
    patient = run(SiamMotTracker(colour_model()), clip, found)
    on = numbers_on(patient, clip, 0)
    assert set(range(15)) <= set(on)
    assert not set(range(15, 20)) & set(on)
    assert len(set(on.values())) == 1
    hasty = run(SiamMotTracker(colour_model(), SiamMotSettings(patience=2)), clip, found)
    assert len(set(numbers_on(hasty, clip, 0).values())) == 2


def test_siammot_takes_the_box_of_the_detection_on_a_track_and_starts_none_for_it() -> None:
    clip = PatchClip(straight(10, (50, 60), (2, 0)))
    found = [found_in(clip, frame, [0]) for frame in range(10)]
    shifted = [
        JointDetections(each.box + np.array([2.0, 3, 3, 2]), each.score, each.class_id, each.embedding)
        for each in found
    ]
    labels = run(siammot(), clip, shifted)
    assert len(labels.track_ids) == 1
    assert labels.box == pytest.approx(np.concatenate([each.box for each in shifted]), abs=1e-3)


def test_classes_do_not_mix() -> None:
    clip = PatchClip(straight(8, (50, 60), (2, 0)))
    found = [found_in(clip, frame, [0], class_id=frame % 2) for frame in range(8)]
    for tracker in (SiamMotTracker(colour_model()), TdtTracker(30.0)):
        eyes = ColourEyes(found)
        eyes.class_names = ("patch", "other")
        labels = track_clip(tracker, clip, eyes)
        for track in labels.track_ids:
            assert len(set(labels.class_id[labels.rows(track)].tolist())) == 1


def test_tdt_tells_two_who_change_places_unseen_apart_by_their_looks() -> None:
    """For four frames nobody is detected; motion alone, standing still, would take the one for the other."""
    path = np.zeros((2, 14, 2))
    path[0, :5], path[1, :5] = (60, 60), (72, 60)
    path[0, 9:], path[1, 9:] = (72, 60), (60, 60)
    path[:, 5:9] = np.nan
    clip = PatchClip(path)
    found = [found_in(clip, frame, [] if 5 <= frame < 9 else [0, 1]) for frame in range(14)]
    labels = run(TdtTracker(30.0), clip, found)
    by_patch = [set(), set()]
    for frame in (4, 9, 13):
        rows = np.flatnonzero(labels.frame == frame)
        centre = (labels.box[rows, 0] + labels.box[rows, 2]) / 2
        for patch in (0, 1):
            by_patch[patch].add(int(labels.track[rows[np.abs(centre - path[patch, frame, 0]).argmin()]]))
    assert [len(each) for each in by_patch] == [1, 1]


def test_tdt_wants_a_second_sight_before_it_believes_in_a_track() -> None:
    clip = PatchClip(CROSSING[:, :30])
    found = [found_in(clip, frame, [0, 1] if frame == 6 or frame >= 20 else [0]) for frame in range(30)]
    on = numbers_on(run(TdtTracker(30.0), clip, found), clip, 1)
    assert min(on) == 21
    settings = TdtSettings(score=0.95)
    assert len(run(TdtTracker(30.0, settings), clip, found)) == 0

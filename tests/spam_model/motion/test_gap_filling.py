"""Gaps are filled where the pixels show the object from both sides, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.geometry import iou_rows
from spam_model.motion.gap_filling import BEYOND, add_to_candidates, add_to_labels, find_beyond_ends, find_in_gaps
from spam_model.motion.propagation import ClipFeatures
from spam_model.postprocess.gaps import fill_gaps
from spam_model.values import Candidates, Labels, Source
from tests.spam_model.motion.worlds import ColourEyes, PatchClip, colour_model, straight

GAP = range(8, 20)


def bent_clip() -> PatchClip:
    """Right, then left again within the gap: a straight line misses it."""
    there, back = straight(14, (40, 60), (2.5, 0)), straight(14, (72.5, 60), (-2.5, 0))
    return PatchClip(np.concatenate([there, back], axis=1))


def detected(clip: PatchClip, gap: range = GAP) -> tuple[Candidates, Labels]:
    frames = np.array([frame for frame in range(clip.info.frame_count) if frame not in gap])
    box = np.concatenate([clip.boxes(frame)[:1] for frame in frames])
    count = len(frames)
    embedding = np.tile(np.array([[0, 1, 0, 0]], np.float32), (count, 1))
    candidates = Candidates.build(clip.info, frames, box, np.full(count, 0.8), embedding=embedding, id=frames * 10_000)
    labels = Labels.build(clip.info, np.full(count, 7), frames, box, candidate_id=candidates.id)
    return candidates, labels


@pytest.mark.parametrize("filled_before", [False, True])
def test_boxes_in_a_gap_lie_on_the_object_where_a_straight_line_does_not(filled_before: bool) -> None:
    clip, model = bent_clip(), colour_model()
    _, labels = detected(clip)
    line = fill_gaps(labels, np.zeros((clip.info.frame_count, 2)), np.full(len(labels), 9.0))
    found = find_in_gaps(model, ClipFeatures(clip, ColourEyes(), model), line if filled_before else labels)
    assert found.track.tolist() == [7] * len(GAP)
    assert found.frame.tolist() == list(GAP)
    truth = np.concatenate([clip.boxes(frame)[:1] for frame in GAP])
    assert iou_rows(found.box, truth).min() > 0.7
    assert iou_rows(line.box[np.isin(line.frame, GAP)], truth).min() < 0.6
    better = add_to_labels(line, found)
    assert better.frame.tolist() == line.frame.tolist()
    assert not better.occluded.any()


def test_where_nothing_is_seen_nothing_is_proposed() -> None:
    clip, model = bent_clip(), colour_model()
    clip.path[:, 10:14] = np.nan
    _, labels = detected(clip)
    found = find_in_gaps(model, ClipFeatures(clip, ColourEyes(), model), labels)
    assert not set(found.frame.tolist()) & {10, 11, 12, 13}


def test_long_gaps_and_tracks_without_gaps_are_left_alone() -> None:
    clip, model = bent_clip(), colour_model()
    features = ClipFeatures(clip, ColourEyes(), model)
    assert len(find_in_gaps(model, features, detected(clip)[1], longest=len(GAP) - 1)) == 0
    assert len(find_in_gaps(model, features, detected(clip, range(0))[1])) == 0


def test_new_candidates_have_ids_scores_and_embeddings_and_disturb_no_other() -> None:
    clip, model = bent_clip(), colour_model()
    candidates, labels = detected(clip)
    features = ClipFeatures(clip, ColourEyes(), model)
    found = find_in_gaps(model, features, labels)
    more = add_to_candidates(candidates, found, features, ColourEyes())
    new = np.flatnonzero(more.source == Source.PROPAGATED)
    assert more.frame[new].tolist() == list(GAP)
    assert more.id[new].tolist() == [frame * 10_000 + 9_999 for frame in GAP]
    assert more.embedding[new].tolist() == [[1, 0, 0, 0]] * len(GAP)
    assert more.score[new] == pytest.approx(found.visibility)
    old = more.take(more.source != Source.PROPAGATED)
    assert old.id.tolist() == candidates.id.tolist()
    assert np.array_equal(old.box, candidates.box)
    twice = add_to_candidates(more, found, features, None)  # ids that are taken are not taken again
    assert len(np.unique(twice.id)) == len(twice) == len(candidates) + 2 * len(GAP)


def cut(clip: PatchClip, first: int, last: int, patch: int = 0) -> Labels:
    """Labels of one patch on the frames first … last."""
    frames = np.arange(first, last + 1)
    box = np.stack([clip.boxes(frame)[patch] for frame in frames])
    return Labels.build(clip.info, np.full(len(frames), patch), frames, box, candidate_id=frames + 1000 * patch)


def test_tracks_go_on_beyond_their_ends_where_the_object_is_seen() -> None:
    clip, model = PatchClip(straight(40, (30, 60), (2, 0))), colour_model()
    features = ClipFeatures(clip, ColourEyes(), model)
    found = find_beyond_ends(model, features, cut(clip, 8, 15))
    assert sorted(found.frame.tolist()) == [*range(8), *range(16, 16 + BEYOND)]
    truth = np.concatenate([clip.boxes(frame) for frame in found.frame])
    assert iou_rows(found.box, truth).min() > 0.6
    clip.path[:, 18:] = np.nan
    hidden = find_beyond_ends(model, ClipFeatures(clip, ColourEyes(), model), cut(clip, 8, 15))
    assert sorted(hidden.frame.tolist()) == [*range(8), 16, 17]
    assert len(find_beyond_ends(model, features, cut(clip, 8, 15).take(np.zeros(0, np.int64)))) == 0


def test_beyond_an_end_nothing_is_found_on_another_track() -> None:
    path = straight(20, (60, 60), (1, 0))
    clip, model = PatchClip(np.concatenate([path, path])), colour_model()  # the second lies on the first
    first, second = cut(clip, 5, 9), cut(clip, 12, 19, patch=1)
    labels = Labels.build(
        clip.info,
        np.concatenate([first.track, second.track]),
        np.concatenate([first.frame, second.frame]),
        np.concatenate([first.box, second.box]),
        candidate_id=np.concatenate([first.candidate_id, second.candidate_id]),
    )
    found = find_beyond_ends(model, ClipFeatures(clip, ColourEyes(), model), labels)
    assert sorted(found.frame[found.track == 0].tolist()) == [0, 1, 2, 3, 4, 10, 11]
    assert sorted(found.frame[found.track == 1].tolist()) == [10, 11]

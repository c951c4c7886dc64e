"""ByteTrack, the tracker that people use today, on the same candidates: what zero clicks are to be compared with.

Y. Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022; the implementation is
that of ``supervision`` 0.27 (MIT), the last series in which it follows the authors' code in all thresholds. That of its
successor ``trackers`` 2.6 has one IoU threshold for both of its stages: on MOT17-05 and MOT17-11 it is 2 below and 3
above the authors' numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spam_model.errors import InputError
from spam_model.postprocess.gaps import fill_gaps
from spam_model.values import Candidates, Labels

HIGH_SCORE = 0.6  # a new track needs 0.7; candidates of 0.1 … 0.6 may only continue tracks
MATCHING = 0.8  # IoU distance, weighted by the score
BUFFER = 30  # frames that a lost track is kept at 30 frames/s, a second
FILLED = 20  # frames


def byte_track(candidates: Candidates) -> Labels:
    """ByteTrack's tracks, each class by itself, without filled gaps.

    Raises:
        InputError: the package ``supervision`` is not installed.
    """
    byte_tracks = [_of_class(candidates, class_id) for class_id in range(len(candidates.info.class_names))]
    track = np.full(len(candidates), -1)
    for rows, number in byte_tracks:
        track[rows] = number + track.max(initial=-1) + 1
    rows = np.flatnonzero(track >= 0)
    return Labels.build(
        candidates.info,
        track[rows],
        candidates.frame[rows],
        candidates.box[rows],
        class_id=candidates.class_id[rows],
        score=candidates.score[rows],
        candidate_id=candidates.id[rows],
    )


def filled(labels: Labels) -> Labels:
    """With straight lines across gaps of up to 20 frames, as the authors fill them."""
    longest = np.full(len(labels), FILLED / labels.info.frame_rate)
    return fill_gaps(labels, np.zeros((labels.info.frame_count, 2)), longest)


def _of_class(candidates: Candidates, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidate rows and their track numbers, from 0."""
    supervision = _supervision()
    tracker = supervision.ByteTrack(HIGH_SCORE, BUFFER, MATCHING, candidates.info.frame_rate)
    mine = np.flatnonzero(candidates.class_id == class_id)
    bounds = np.searchsorted(candidates.frame[mine], np.arange(candidates.info.frame_count + 1))
    rows, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for frame in range(candidates.info.frame_count):
        here = mine[bounds[frame] : bounds[frame + 1]]
        tracked = tracker.update_with_detections(
            supervision.Detections(
                xyxy=candidates.box[here],
                confidence=candidates.score[here],
                class_id=candidates.class_id[here],
                data={"row": here},
            )
        )
        if len(tracked):
            rows.append(tracked.data["row"])
            numbers.append(tracked.tracker_id)
    return np.concatenate(rows), np.concatenate(numbers)


def _supervision() -> Any:
    try:
        import supervision
    except ImportError as error:
        raise InputError(
            "the reference tracker needs the package supervision; "
            "install it with: pip install 'supervision>=0.27,<0.28', or leave it out with --reference none"
        ) from error
    return supervision

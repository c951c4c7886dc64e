"""The tracker of TDT (Yu et al., "Teaching Detectors to Track without Fully Annotated Videos", Sec. 3.5).

As in FairMOT, tracks are predicted by a Kalman filter. Confident boxes are matched to them first by appearance, where
the motion allows it, then by IoU; tracks that have been seen once only must be confirmed by IoU in the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from spam_model.detectors.joint import JointDetections
from spam_model.geometry import iou_matrix
from spam_model.trackers import kalman
from spam_model.trackers.base import Sight, Tracked, select, without_duplicates
from spam_model.trackers.kalman import KalmanState
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

_FORBIDDEN = 1e5


@dataclass(frozen=True)
class TdtSettings:
    """FairMOT's, but for ``appearance``, which depends on the embedding (TDT says so too).

    Attributes:
        duplicate: IoU above which the worse of two boxes goes.
        score: least score of a box that takes part, and that begins a track.
        appearance: largest distance of the first matching.
        motion_share: weight of the motion in that distance.
        overlap: least IoU of the second matching, and of the one that confirms new tracks.
        memory: share of the old in a track's embedding.
        buffer: frames that a lost track is kept at 30 frames/s.
    """

    duplicate: float = 0.5
    score: float = 0.4
    appearance: float = 0.4
    motion_share: float = 0.02
    overlap: float = 0.5
    confirming_overlap: float = 0.3
    memory: float = 0.9
    buffer: int = 30


@dataclass(frozen=True)
class _Tracks:
    """n tracks: number [n], motion, embedding [n, D], class_id [n], frame last seen [n], whether confirmed [n]."""

    track: IntArray
    motion: KalmanState
    embedding: FloatArray
    class_id: IntArray
    seen: IntArray
    confirmed: BoolArray

    def take(self, rows: IntArray | BoolArray) -> _Tracks:
        return _Tracks(
            self.track[rows],
            self.motion.take(rows),
            self.embedding[rows],
            self.class_id[rows],
            self.seen[rows],
            self.confirmed[rows],
        )


class TdtTracker:
    """TDT's association; ``frame_rate`` in frames/s."""

    name = "tdt"

    def __init__(self, frame_rate: float, settings: TdtSettings | None = None) -> None:
        self._settings = settings or TdtSettings()
        self._patience = max(int(self._settings.buffer * frame_rate / 30), 1)  # frames
        self._tracks: _Tracks | None = None
        self._next = 1

    def update(self, sight: Sight) -> Tracked:
        settings = self._settings
        found = without_duplicates(sight.found, settings.duplicate)
        found = select(found, found.score >= settings.score)
        first_frame = self._tracks is None
        tracks = self._tracks if self._tracks is not None else _nobody(found.embedding.shape[1])
        tracks = replace(tracks, motion=kalman.predict(tracks.motion))
        partner = np.full(len(tracks.track), -1)  # row of ``found``
        known = np.flatnonzero(tracks.confirmed)
        self._match(partner, known, self._appearance_cost(tracks.take(known), found), settings.appearance)
        lately = tracks.seen == sight.frame - 1
        for rows, overlap in (
            (np.flatnonzero(tracks.confirmed & lately), settings.overlap),
            (np.flatnonzero(~tracks.confirmed), settings.confirming_overlap),
        ):
            rows = rows[partner[rows] < 0]
            cost = 1 - iou_matrix(tracks.motion.box[rows], found.box)
            cost[tracks.class_id[rows][:, None] != found.class_id] = _FORBIDDEN
            self._match(partner, rows, cost, 1 - overlap)
        seen = np.flatnonzero(partner >= 0)
        lost = np.flatnonzero((partner < 0) & tracks.confirmed & (sight.frame - tracks.seen <= self._patience))
        updated = self._updated(tracks.take(seen), select(found, partner[seen]), sight.frame)
        fresh = np.setdiff1d(np.arange(len(found.score)), partner[seen])
        born = self._born(select(found, fresh), sight.frame, confirmed=first_frame)
        self._tracks = _joined([updated, tracks.take(lost), born])
        shown = born.confirmed.all() and len(born.track) > 0
        here = _joined([updated, born]) if shown else updated
        score = (
            np.concatenate([found.score[partner[seen]], found.score[fresh]]) if shown else found.score[partner[seen]]
        )
        return Tracked(here.track, here.motion.box, score, here.class_id)

    def _appearance_cost(self, tracks: _Tracks, found: JointDetections) -> FloatArray:
        """Cosine distance, blended with the motion and forbidden where the motion does, [n, m]."""
        share = self._settings.motion_share
        cost = 1 - tracks.embedding @ found.embedding.T
        if cost.size == 0:
            return np.asarray(cost, np.float64)
        distance = kalman.squared_distance(tracks.motion, found.box)
        blended = (1 - share) * cost + share * distance
        blended[(distance > kalman.GATE) | (tracks.class_id[:, None] != found.class_id)] = _FORBIDDEN
        return np.asarray(blended)

    @staticmethod
    def _match(partner: IntArray, rows: IntArray, cost: FloatArray, limit: float) -> None:
        """Matches tracks ``rows`` with boxes that have no track yet, at a cost of at most ``limit``; in place."""
        free = np.setdiff1d(np.arange(cost.shape[1]), partner)
        cost = np.minimum(cost[:, free], limit + 1e-5)  # what is too dear must not displace what is not
        first, second = linear_sum_assignment(cost)
        good = cost[first, second] <= limit
        partner[rows[first[good]]] = free[second[good]]

    def _updated(self, tracks: _Tracks, found: JointDetections, frame: int) -> _Tracks:
        if len(tracks.track) == 0:
            return tracks
        memory = self._settings.memory
        embedding = memory * tracks.embedding + (1 - memory) * found.embedding
        embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-9)
        return replace(
            tracks,
            motion=kalman.update(tracks.motion, found.box),
            embedding=embedding,
            seen=np.full(len(tracks.track), frame),
            confirmed=np.ones(len(tracks.track), bool),
        )

    def _born(self, found: JointDetections, frame: int, *, confirmed: bool) -> _Tracks:
        count = len(found.score)
        number = np.arange(self._next, self._next + count)
        self._next += count
        return _Tracks(
            number,
            kalman.initiate(found.box),
            np.asarray(found.embedding, np.float64),
            found.class_id,
            np.full(count, frame),
            np.full(count, confirmed),
        )


def _nobody(dimension: int) -> _Tracks:
    none = np.zeros(0, np.int64)
    motion = KalmanState(np.zeros((0, 8)), np.zeros((0, 8, 8)))
    return _Tracks(none, motion, np.zeros((0, dimension)), none, none, np.zeros(0, bool))


def _joined(parts: list[_Tracks]) -> _Tracks:
    return _Tracks(
        np.concatenate([part.track for part in parts]),
        KalmanState(
            np.concatenate([part.motion.mean for part in parts]),
            np.concatenate([part.motion.covariance for part in parts]),
        ),
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.class_id for part in parts]),
        np.concatenate([part.seen for part in parts]),
        np.concatenate([part.confirmed for part in parts]),
    )

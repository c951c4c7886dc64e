"""SiamMOT's online solver (Shuai et al., CVPR 2021, Sec. 3.4) on the explicit motion model.

Every track is looked for in the next frame. A detection that lies where a visible track is (IoU ≥ 0.5) belongs to it;
one that lies where none is begins a track. In place of the paper's box head, which this detector does not have, the box
of such a detection becomes the track's. A track that is not visible stays dormant, and is looked for again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.geometry import iou_matrix
from spam_model.motion.model import MotionModel
from spam_model.motion.propagation import GAINS, MotionState, join_states, start, step
from spam_model.trackers.base import Sight, Tracked, without_duplicates
from spam_model.values.candidates import FloatArray, IntArray


@dataclass(frozen=True)
class SiamMotSettings:
    """The paper's.

    Attributes:
        visible: α, least visibility with which a track goes on.
        birth: β, least score with which a detection begins a track.
        patience: τ, frames that a track may be invisible.
        overlap: IoU from which a detection is a track's, and at which boxes suppress each other.
    """

    visible: float = 0.4
    birth: float = 0.6
    patience: int = 30
    overlap: float = 0.5


class SiamMotTracker:
    name = "siammot"

    def __init__(self, model: MotionModel, settings: SiamMotSettings | None = None) -> None:
        self._model = model
        self._settings = settings or SiamMotSettings()
        self._state: MotionState | None = None
        self._track: IntArray = np.zeros(0, np.int64)
        self._class: IntArray = np.zeros(0, np.int64)
        self._next = 1

    def update(self, sight: Sight) -> Tracked:
        settings = self._settings
        with torch.inference_mode():
            maps = self._model.project(sight.maps())
        found = without_duplicates(sight.found, settings.overlap)
        state = start(maps, sight.frame, np.zeros((0, 4))) if self._state is None else self._state
        state = step(self._model, maps, sight.frame, state)
        visibility = state.visibility.cpu().numpy().astype(np.float64)
        box = state.box.cpu().numpy().astype(np.float64)
        visible = visibility >= settings.visible
        rows = np.flatnonzero(visible)
        stays = rows[non_maximum_suppression(box[rows], visibility[rows], self._class[rows], settings.overlap)]
        dormant = np.setdiff1d(rows, stays)  # two tracks on one object: the surer one has it
        visible[dormant] = False
        rows = np.flatnonzero(visible)
        overlap = iou_matrix(box[rows], found.box)
        overlap[self._class[rows][:, None] != found.class_id] = 0
        overlap[overlap < settings.overlap] = 0
        taken = overlap.max(axis=0, initial=0) > 0  # [m]
        first, second = linear_sum_assignment(-overlap)
        good = overlap[first, second] > 0
        matched, partner = rows[first[good]], second[good]
        box[matched] = found.box[partner]
        state = _refreshed(state, maps, sight.frame, matched, box[matched])
        score = visibility.copy()
        score[matched] = found.score[partner]
        unseen = np.where(visible, 0, np.maximum(state.unseen.cpu().numpy(), 1))
        alive = unseen <= settings.patience
        fresh = ~taken & (found.score >= settings.birth)
        newborn = start(maps, sight.frame, found.box[fresh])
        number = np.arange(self._next, self._next + len(newborn))
        self._next += len(newborn)
        shown = Tracked(
            np.concatenate([self._track[visible], number]),
            np.concatenate([box[visible], found.box[fresh]]),
            np.concatenate([score[visible], found.score[fresh]]),
            np.concatenate([self._class[visible], found.class_id[fresh]]),
        )
        state = replace(state, unseen=torch.from_numpy(unseen).to(state.box))
        self._state = join_states([state.take(torch.from_numpy(alive)), newborn])
        self._track = np.concatenate([self._track[alive], number])
        self._class = np.concatenate([self._class[alive], found.class_id[fresh]])
        return shown


def _refreshed(state: MotionState, maps: FeatureMaps, frame: int, rows: IntArray, box: FloatArray) -> MotionState:
    """Objects ``rows`` with boxes and templates cut anew where the detector saw them; velocities follow in part."""
    fresh = start(maps, frame, box)
    index = torch.from_numpy(rows).to(state.level.device)
    shift = (fresh.box[:, :2] + fresh.box[:, 2:] - state.box[index, :2] - state.box[index, 2:]) / 2
    return replace(
        state,
        box=state.box.index_copy(0, index, fresh.box),
        velocity=state.velocity.index_add(0, index, GAINS.velocity * shift),
        template=state.template.index_copy(0, index, fresh.template),
        level=state.level.index_copy(0, index, fresh.level),
    )

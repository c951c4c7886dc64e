"""What every level needs of a clip's candidates, computed once: stabilised positions, sizes, times, appearance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spam_model.motion.camera import camera_path
from spam_model.values import Candidates, MotionEvidence
from spam_model.values.candidates import FloatArray, IntArray

CHANNELS = 4  # x and y of the bottom centre in px, camera shift taken out; log height; log width
_APPEARANCE_PAIRS = 4000


@dataclass(frozen=True)
class Scene:
    """Structure of arrays over N candidates.

    Attributes:
        id: [N] int64, of the candidates.
        frame: [N] int64.
        class_id: [N] int64.
        score: [N].
        geometry: [N, 4] stabilised bottom centre in px, log height, log width.
        border: [N] distance of the box to the nearest of the left, right and bottom border, in box heights.
        embedding: [N, D], D = 0 without pixels.
        path: [F, 2] px, the camera's, taken out of ``geometry``.
        usual_aspect: [C] median log height over width of each class, over the surer half of its candidates.
        appearance_scale: [P] ascending distances of random pairs of the clip, empty without pixels.
        motion: where a motion model saw candidates in other frames, None where none was asked.
        frame_rate: frames per second.
        image_height: px.
        frame_count: frames in the clip.
    """

    id: IntArray
    frame: IntArray
    class_id: IntArray
    score: FloatArray
    geometry: FloatArray
    border: FloatArray
    embedding: FloatArray
    path: FloatArray
    usual_aspect: FloatArray
    appearance_scale: FloatArray
    motion: MotionEvidence | None
    frame_rate: float
    image_height: int
    frame_count: int

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def of(cls, candidates: Candidates, known: Scene | None = None) -> Scene:
        """
        Args:
            known: of the candidates as they were detected, where some were corrected or drawn since: what is of the
                clip as a whole is taken from it, so that an answer moves nothing but itself.
        """
        box, info = candidates.box, candidates.info
        width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
        path = known.path if known else camera_path(candidates)  # [F, 2]
        position = np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], axis=1) - path[candidates.frame]
        border = np.minimum.reduce([box[:, 0], info.width - box[:, 2], info.height - box[:, 3]]) / height
        return cls(
            id=candidates.id,
            frame=candidates.frame,
            class_id=candidates.class_id,
            score=candidates.score,
            geometry=np.concatenate([position, np.log(height)[:, None], np.log(width)[:, None]], axis=1),
            border=border,
            embedding=candidates.embedding,
            path=path,
            usual_aspect=known.usual_aspect if known else _usual_aspect(candidates, np.log(height / width)),
            appearance_scale=known.appearance_scale if known else _appearance_scale(candidates),
            motion=candidates.motion,
            frame_rate=info.frame_rate,
            image_height=info.height,
            frame_count=info.frame_count,
        )

    def take(self, rows: IntArray | slice) -> Scene:
        """The candidates at ``rows``, measured against the same clip."""
        arrays = ("id", "frame", "class_id", "score", "geometry", "border", "embedding")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    def box_of(self, rows: IntArray) -> FloatArray:
        """Boxes in the image, px. [K] -> [K, 4]."""
        x, bottom, log_height, log_width = self.geometry[rows].T
        x, bottom = x + self.path[self.frame[rows], 0], bottom + self.path[self.frame[rows], 1]
        half = np.exp(log_width) / 2
        return np.stack([x - half, bottom - np.exp(log_height), x + half, bottom], axis=1)

    def appearance_quantile(self, distance: FloatArray) -> FloatArray:
        """Share of the clip's random pairs that look more alike than this, in [0, 1]. [E] -> [E].

        A quantile rather than a distance, so that embeddings of any kind mean the same to the network.
        """
        if len(self.appearance_scale) == 0:
            return np.zeros(len(distance))
        return np.searchsorted(self.appearance_scale, distance) / len(self.appearance_scale)


def _usual_aspect(candidates: Candidates, aspect: FloatArray) -> FloatArray:
    """[C]; 0 for a class without candidates. Dancers and cars are wider than walkers, and no less real for it."""
    result = np.zeros(len(candidates.info.class_names))
    for class_id in np.unique(candidates.class_id):
        rows = np.flatnonzero(candidates.class_id == class_id)
        sure = candidates.score[rows] >= np.median(candidates.score[rows])
        result[class_id] = np.median(aspect[rows[sure]])
    return result


def _appearance_scale(candidates: Candidates) -> FloatArray:
    """Cosine distances of random pairs of one class and different frames, ascending. The same pairs in every run."""
    embedding = candidates.embedding
    usable = np.flatnonzero(np.linalg.norm(embedding, axis=1) > 0) if embedding.shape[1] else np.zeros(0, np.int64)
    if len(usable) < 2:
        return np.zeros(0)
    first, second = usable[np.random.default_rng(0).integers(0, len(usable), (2, _APPEARANCE_PAIRS))]
    comparable = (candidates.frame[first] != candidates.frame[second]) & (
        candidates.class_id[first] == candidates.class_id[second]
    )
    first, second = first[comparable], second[comparable]
    return np.sort(1.0 - (embedding[first] * embedding[second]).sum(axis=1).astype(np.float64))

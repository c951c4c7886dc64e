"""Ground truth of a clip: for evaluation, the oracle annotator and simulated training data only."""

from __future__ import annotations

from dataclasses import dataclass

from spam_model.values.candidates import BoolArray, ClipInfo, FloatArray, IntArray


@dataclass(frozen=True)
class GroundTruth:
    """Structure of arrays over M boxes, sorted by track, then frame.

    Attributes:
        info: the clip.
        track: [M] int64, identity.
        frame: [M] int64, 0-based.
        box: [M, 4] float64, x1 y1 x2 y2 in px, 0-based image coordinates.
        class_id: [M] int64, index into ``info.class_names``; -1 for ignored boxes of no class of the clip.
        visibility: [M] float64 in [0, 1], 1 where not annotated.
        ignored: [M] bool, distractors and crowds: neither a hit nor a false alarm.
    """

    info: ClipInfo
    track: IntArray
    frame: IntArray
    box: FloatArray
    class_id: IntArray
    visibility: FloatArray
    ignored: BoolArray

    def __len__(self) -> int:
        return len(self.track)

"""Detection candidates of one clip: the over-complete set that the graph keeps from, rejects and links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spam_model.errors import FormatError

if TYPE_CHECKING:
    from spam_model.values.motion import MotionEvidence

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]
BoolArray = NDArray[np.bool_]


class Source(IntEnum):
    """Who proposed a candidate."""

    DETECTOR = 0
    PERSON = 1
    PROPAGATED = 2


@dataclass(frozen=True)
class ClipInfo:
    """What the model must know of a clip besides its pixels.

    ``frame_rate`` is in frames per second, ``width`` and ``height`` in px, frames run 0 … frame_count - 1.
    """

    name: str
    frame_count: int
    frame_rate: float
    width: int
    height: int
    class_names: tuple[str, ...] = ("person",)

    def __post_init__(self) -> None:
        if self.frame_count < 1 or self.width < 1 or self.height < 1 or not self.frame_rate > 0:
            raise FormatError(
                f"clip {self.name!r} needs at least one frame, a size and a frame rate; "
                f"got {self.frame_count} frames, {self.width}×{self.height} px, {self.frame_rate} frames/s"
            )


@dataclass(frozen=True)
class Candidates:
    """Structure of arrays over N candidates, sorted by frame.

    Attributes:
        info: the clip they belong to.
        frame: [N] int64, 0-based frame of the clip.
        box: [N, 4] float64, x1 y1 x2 y2 in px, 0-based image coordinates, x2 > x1 and y2 > y1.
        score: [N] float64 in [0, 1], the detector's confidence.
        class_id: [N] int64, index into ``info.class_names``.
        embedding: [N, D] float32, L2-normalised appearance; D = 0 where there are no pixels.
        source: [N] int64, see ``Source``.
        id: [N] int64, unique and stable: constraints and answers refer to it.
        motion: where a motion model saw some of the candidates in other frames; None where none was asked.
        camera: [F, 2] px, cumulative translation of the image seen in the pixels, 0 at frame 0; None where it was not
            looked for.
    """

    info: ClipInfo
    frame: IntArray
    box: FloatArray
    score: FloatArray
    class_id: IntArray
    embedding: FloatArray
    source: IntArray
    id: IntArray
    motion: MotionEvidence | None = None
    camera: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.frame)
        shapes = {
            "box": (self.box.shape, (n, 4)),
            "score": (self.score.shape, (n,)),
            "class_id": (self.class_id.shape, (n,)),
            "embedding": (self.embedding.shape[:1], (n,)),
            "source": (self.source.shape, (n,)),
            "id": (self.id.shape, (n,)),
        }
        for name, (got, expected) in shapes.items():
            if got != expected:
                raise FormatError(f"candidates of {self.info.name!r}: {name} has shape {got}, needs {expected}")
        if self.camera is not None and self.camera.shape != (self.info.frame_count, 2):
            raise FormatError(
                f"candidates of {self.info.name!r}: camera has shape {self.camera.shape}, "
                f"needs {(self.info.frame_count, 2)}"
            )
        if n == 0:
            return
        self._require(np.asarray(np.isfinite(self.box).all(axis=1)), "has a box that is not a number")
        self._require(np.isfinite(self.score), "has a score that is not a number")
        self._require(np.asarray(np.isfinite(self.embedding).all(axis=1)), "has an embedding that is not a number")
        solid = (self.box[:, 2] > self.box[:, 0]) & (self.box[:, 3] > self.box[:, 1])
        self._require(solid, "has an empty box (x2 <= x1 or y2 <= y1)")
        if self.frame.min() < 0 or self.frame.max() >= self.info.frame_count:
            raise FormatError(
                f"candidates of {self.info.name!r} lie on frames {self.frame.min()}…{self.frame.max()}, "
                f"the clip has frames 0…{self.info.frame_count - 1}"
            )
        self._require(np.diff(self.frame, prepend=0) >= 0, "comes after a later frame; Candidates.build sorts them")
        if len(np.unique(self.id)) != n:
            raise FormatError(f"candidates of {self.info.name!r} have ids that occur twice")
        if self.class_id.min() < 0 or self.class_id.max() >= len(self.info.class_names):
            raise FormatError(f"candidates of {self.info.name!r} name a class that the clip does not have")

    def _require(self, good: BoolArray, what: str) -> None:
        """``good``: [N]."""
        bad = np.flatnonzero(~good)
        if len(bad):
            row = int(bad[0])
            raise FormatError(
                f"candidates of {self.info.name!r}: row {row} (id {self.id[row]}, frame {self.frame[row]}, "
                f"box {self.box[row].tolist()}) {what}; such rows in all: {len(bad)}"
            )

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def build(
        cls,
        info: ClipInfo,
        frame: IntArray,
        box: FloatArray,
        score: FloatArray,
        *,
        class_id: IntArray | None = None,
        embedding: FloatArray | None = None,
        source: IntArray | None = None,
        id: IntArray | None = None,
    ) -> Candidates:
        """Sorts by frame (stable) and fills what is not given; ids default to the order given."""
        n = len(frame)
        given_id = np.arange(n) if id is None else id
        order = np.argsort(frame, kind="stable")
        return cls(
            info=info,
            frame=np.asarray(frame, dtype=np.int64)[order],
            box=np.asarray(box, dtype=np.float64).reshape(n, 4)[order],
            score=np.asarray(score, dtype=np.float64)[order],
            class_id=(np.zeros(n, np.int64) if class_id is None else np.asarray(class_id, np.int64))[order],
            embedding=(np.zeros((n, 0), np.float32) if embedding is None else np.asarray(embedding, np.float32))[order],
            source=(np.zeros(n, np.int64) if source is None else np.asarray(source, np.int64))[order],
            id=np.asarray(given_id, dtype=np.int64)[order],
        )

    def take(self, rows: IntArray | BoolArray) -> Candidates:
        """The candidates at ``rows`` (an index array in ascending order, or a mask), ids kept."""
        return replace(
            self,
            frame=self.frame[rows],
            box=self.box[rows],
            score=self.score[rows],
            class_id=self.class_id[rows],
            embedding=self.embedding[rows],
            source=self.source[rows],
            id=self.id[rows],
        )

    def rows_of(self, ids: IntArray) -> IntArray:
        """Rows of the candidates with these ids, -1 where an id is unknown. [K] -> [K]."""
        order = np.argsort(self.id)
        if len(order) == 0:
            return np.full(len(ids), -1, np.int64)
        position = np.minimum(np.searchsorted(self.id[order], ids), len(order) - 1)
        rows = order[position]
        return np.where(self.id[rows] == ids, rows, -1)

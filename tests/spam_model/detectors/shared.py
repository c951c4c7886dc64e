"""Where the development data lies; detectors that answer without looking."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from spam_model.data.clip import Image
from spam_model.detectors.base import Detections
from spam_model.geometry import iou_matrix
from spam_model.values import Candidates, GroundTruth

SHARED = Path(os.environ.get("CVAT_SPAM_DATA", "../shared"))
CAMPUS = SHARED / "data" / "tune" / "MOT15" / "TUD-Campus"
YOLOX = SHARED / "weights" / "yolox_nano.onnx"


class BlobDetector:
    """Finds the bright rectangles of a dark picture, one by connected component: a detector that truly looks."""

    name = "blobs"
    device = "cpu"
    class_names = ("blob",)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        found = []
        for image in images:
            _, _, statistics, _ = cv2.connectedComponentsWithStats((image[..., 1] > 100).astype(np.uint8))
            x, y, w, h = statistics[1:, :4].T
            score = np.minimum(statistics[1:, 4] / 1000, 1.0)
            order = np.argsort(-score, kind="stable")
            box = np.stack([x, y, x + w, y + h], axis=1).astype(np.float64)[order]
            found.append(Detections(box, score[order], np.zeros(len(order), np.int64)))
        return found


def write_blobs(folder: Path, frames: int) -> Path:
    """Two rectangles that move apart, none in frame 5; detections and truth of the same, as a sequence folder."""
    for part in ("img1", "det", "gt"):
        (folder / part).mkdir(parents=True)
    found, true = [], []
    for frame in range(frames):
        image = np.zeros((80, 160, 3), np.uint8)
        for blob, (x, w) in enumerate(((60 - 3 * frame, 20), (90 + 3 * frame, 25))):
            if frame != 5:
                image[20:60, x : x + w] = ((0, 255, 255), (255, 130, 0))[blob]
                found.append(f"{frame + 1},-1,{x + 1},21,{w},40,{0.9 - 0.85 * blob * (frame == 3)},-1,-1,-1\n")
            true.append(f"{frame + 1},{blob + 1},{x + 1},21,{w},40,1,1,1\n")
        cv2.imwrite(str(folder / "img1" / f"{frame + 1:06d}.png"), image)
    (folder / "det" / "det.txt").write_text("".join(found))
    (folder / "gt" / "gt.txt").write_text("".join(true))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nframeRate=10\nseqLength={frames}\nimWidth=160\nimHeight=80\nimExt=.png\n"
    )
    return folder


def assert_same(first: Candidates, second: Candidates) -> None:
    assert first.info == second.info
    for name in ("frame", "box", "score", "class_id", "embedding", "source", "id"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def recall_and_precision(candidates: Candidates, truth: GroundTruth, min_iou: float = 0.5) -> tuple[float, float]:
    """Of a greedy one-to-one matching, best score first, at IoU ≥ ``min_iou``."""
    hits = 0
    for frame in range(truth.info.frame_count):
        free = truth.box[(truth.frame == frame) & ~truth.ignored]
        rows = np.flatnonzero(candidates.frame == frame)
        for row in rows[np.argsort(-candidates.score[rows])]:
            if len(free) == 0:
                break
            overlap = iou_matrix(candidates.box[row : row + 1], free)[0]
            if overlap.max() >= min_iou:
                hits += 1
                free = np.delete(free, overlap.argmax(), axis=0)
    return hits / int((~truth.ignored).sum()), hits / max(len(candidates), 1)

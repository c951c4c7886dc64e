"""What the bench measures: each a pair, ours and a named reference, on the same input in the same run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from cvat_bridge.ownership import Keyframe
from cvat_bridge.plan import job_parts
from cvat_bridge.wire import Job
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.evaluation import evaluate
from spam_model.geometry import iou_matrix
from spam_model.labeler import Labeler
from spam_model.simulation import SimulatedClip
from spam_model.storage import read_candidates, write_candidates
from spam_model.values import Labels
from spam_model.values.candidates import FloatArray, IntArray
from tests.bench.ratio import Ratio, seconds
from tests.bench.tracker import track_by_iou


def labelling(labeler: Labeler, clip: SimulatedClip) -> list[Ratio]:
    """Speed and quality of the graph hierarchy against a greedy tracker."""
    frames, reference = clip.candidates.info.frame_count, "SORT-like tracker"
    ours, theirs = labeler.label(clip.candidates).labels, track_by_iou(clip.candidates)
    speed = (
        frames / seconds(lambda: labeler.label(clip.candidates), 2),
        frames / seconds(lambda: track_by_iou(clip.candidates), 2),
    )
    scores = [evaluate(clip.truth, labels) for labels in (ours, theirs)]
    return [
        Ratio("label", reference, "frames/s", *speed),
        Ratio("label", reference, "HOTA %", *(score.hota for score in scores)),
        Ratio("label", reference, "IDF1 %", *(score.idf1 for score in scores)),
    ]


def thinning(labels: Labels) -> list[Ratio]:
    """What a push of these labels sends, against a keyframe at every box."""
    job = Job(id=1, task_id=1, state="new", stage="annotation", start_frame=0, stop_frame=labels.info.frame_count - 1)
    parts = job_parts(labels, {track: track for track in labels.track_ids.tolist()}, job, {0: 1})
    sent = [part.keyframes for part in parts]
    every = [_every_box(labels, track) for track in labels.track_ids.tolist()]
    reference = "keyframe at every box"
    return [
        Ratio("push", reference, "keyframes", sum(map(len, sent)), sum(map(len, every))),
        Ratio("push", reference, "bytes of JSON", len(_body(sent)), len(_body(every))),
    ]


def _every_box(labels: Labels, track: int) -> tuple[Keyframe, ...]:
    rows = labels.rows(track)
    seen = zip(labels.frame[rows].tolist(), labels.box[rows].tolist(), labels.occluded[rows].tolist(), strict=True)
    return tuple(
        Keyframe(frame, (round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2)), False, occluded)
        for frame, (x1, y1, x2, y2), occluded in seen
    )


def _body(tracks: list[tuple[Keyframe, ...]]) -> bytes:
    shapes = [
        [
            {"type": "rectangle", "frame": k.frame, "points": k.box, "outside": k.outside, "occluded": k.occluded}
            for k in keyframes
        ]
        for keyframes in tracks
    ]
    return json.dumps({"tracks": [{"label_id": 1, "frame": s[0]["frame"], "shapes": s} for s in shapes]}).encode()


def geometry(boxes: int = 300) -> list[Ratio]:
    """Vectorised overlap and suppression against loops over pairs."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 500, (boxes, 2))
    box = np.concatenate([corner, corner + rng.uniform(20, 120, (boxes, 2))], axis=1)
    score, class_id = rng.random(boxes), np.zeros(boxes, np.int64)
    assert np.allclose(iou_matrix(box, box), loop_iou(box, box))
    assert non_maximum_suppression(box, score, class_id).tolist() == loop_suppression(box, score).tolist()
    pairs = boxes * boxes / 1e6
    return [
        Ratio(
            f"IoU of {boxes} × {boxes} boxes",
            "loop over pairs",
            "10⁶ pairs/s",
            pairs / seconds(lambda: iou_matrix(box, box)),
            pairs / seconds(lambda: loop_iou(box, box), 1),
        ),
        Ratio(
            f"suppression of {boxes} boxes",
            "loop over pairs",
            "images/s",
            1 / seconds(lambda: non_maximum_suppression(box, score, class_id)),
            1 / seconds(lambda: loop_suppression(box, score), 1),
        ),
    ]


def loop_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.array([[_iou(a, b) for b in second.tolist()] for a in first.tolist()])


def loop_suppression(box: FloatArray, score: FloatArray, max_iou: float = 0.7) -> IntArray:
    stays: list[int] = []
    boxes = box.tolist()
    for row in np.argsort(-score, kind="stable").tolist():
        if all(_iou(boxes[row], boxes[other]) <= max_iou for other in stays):
            stays.append(row)
    return np.array(stays)


def _iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def storage(clip: SimulatedClip) -> list[Ratio]:
    """Candidates to a file and back, against numpy's own format; ours is checked on reading and synced on writing."""
    candidates = clip.candidates
    names = ("frame", "box", "score", "class_id", "embedding", "source", "id")
    arrays = {name: getattr(candidates, name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "candidates.safetensors", Path(folder) / "candidates.npz"
        writing = seconds(lambda: write_candidates(ours, candidates)), seconds(lambda: np.savez(theirs, **arrays))
        reading = seconds(lambda: read_candidates(ours)), seconds(lambda: _read_npz(theirs))
        size = ours.stat().st_size / 1e6, theirs.stat().st_size / 1e6
    return [
        Ratio("write candidates", "numpy.savez", "files/s", *(1 / one for one in writing)),
        Ratio("read candidates", "numpy.load", "files/s", *(1 / one for one in reading)),
        Ratio("candidates file", "numpy.savez", "MB", *size),
    ]


def _read_npz(path: Path) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[name] for name in file.files]

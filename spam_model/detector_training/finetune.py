"""Retraining a detector on a clip's own labels and answers, judged on frames of the clip that it has not seen.

The largest gain of the SPAM paper (Sec. 3.4) comes from this. No ground truth takes part in training or in the choice
between the detector before and after; where there is one, it is only reported.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spam_model.data.clip import FrameSource
from spam_model.detector_training.augment import GENTLE
from spam_model.detector_training.batches import Views
from spam_model.detector_training.detectors import trainable_detector
from spam_model.detector_training.loop import Schedule, train_detector
from spam_model.detector_training.pseudo_labels import pseudo_boxes
from spam_model.detector_training.samples import Boxes, FramesInMemory, Joined, encode_frame
from spam_model.detector_training.trainable import Part
from spam_model.detectors.base import Detector
from spam_model.detectors.registry import create_detector
from spam_model.detectors.small import HEAD_SUFFIX
from spam_model.detectors.trained_weights import write_trained
from spam_model.detectors.yolov4_tiny import fitting_size
from spam_model.device import resolve_device
from spam_model.errors import InputError
from spam_model.evaluation.average_precision import detection_quality
from spam_model.storage import read_bytes, write_atomically
from spam_model.values import Candidates, ClipInfo, Constraints, GroundTruth, Labels, Query
from spam_model.values.candidates import IntArray

MOST_FRAMES = 400  # that are trained on, evenly spaced; kept in memory as JPEG
MOST_HELD_OUT = 120
LOWEST_SCORE = 0.05  # of the boxes that are judged
JUDGED_IOUS = tuple(np.arange(0.5, 1.0, 0.05).round(2).tolist())
PIXELS = 416 * 416  # about, of the network's input in training
GENTLY = Schedule(
    minutes=1.0,
    learning_rate=1e-4,
    warm_up=20,
    averaging=0.99,
    forgetful=False,
    part=Part.DEEP,
    frozen_norms=True,
    faithfulness=2.0,
)
BATCH = 4


@dataclass(frozen=True)
class Quality:
    """Average precision on the held-out frames: at IoU 0.5, and the mean over 0.5, 0.55 … 0.95 as COCO has it."""

    ap50: float
    mean_ap: float


@dataclass(frozen=True)
class Change:
    before: Quality
    after: Quality


@dataclass(frozen=True)
class Finetuned:
    """What came of it.

    Attributes:
        detector: for ``--detector``: the new weights where they are better, else the detector as it was.
        weights: the new ones, whichever is better.
        on_labels: against the clip's own labels and answers.
        on_truth: against ground truth; None where there is none.
        trained_frames, held_out_frames, steps: how many.
    """

    detector: str
    weights: Path
    on_labels: Change
    on_truth: Change | None
    trained_frames: int
    held_out_frames: int
    steps: int

    @property
    def is_better(self) -> bool:
        """The rule: a higher mean AP against the labels and answers of the held-out frames.

        Not AP50: at that, the detector that the labels were made with is nearly perfect.
        """
        return self.on_labels.after.mean_ap > self.on_labels.before.mean_ap


def finetune(
    frames: FrameSource,
    labels: Labels,
    constraints: Constraints,
    detector: str,
    weights: Path,
    *,
    candidates: Candidates | None = None,
    queries: Sequence[Query] = (),
    truth: GroundTruth | None = None,
    schedule: Schedule = GENTLY,
    holdout: float = 0.3,
    skipped: Collection[int] = (),
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> Finetuned:
    """Trains ``detector`` on the first part of the clip, judges it on the rest, and writes ``weights``.

    Answers stay valid afterwards: constraints are stored with frame, box and class, and ``graph.constraints`` finds
    the new detector's candidate of the highest IoU (0.5 at least) for each; those without one are reported there.

    Args:
        frames: of the clip.
        labels, constraints, candidates, queries: as for ``pseudo_boxes``; labels of the whole clip.
        detector: what ``--detector`` takes, of the kinds in ``detectors.TRAINABLE``.
        weights: file for the new weights.
        truth: of the clip; reported, never learnt from and never chosen by.
        holdout: share of the frames, at the clip's end, that is not trained on.
        skipped: frames that cannot be read, or that nobody labels.

    Raises:
        InputError: the clip is too short, there is no label in one of its parts, the detector cannot be trained, or
            ``weights`` is not named ``.safetensors``.
        FetchError, FormatError, DeviceError: as the detector says.
    """
    if weights.suffix != ".safetensors":
        raise InputError(f"{weights}: weights are written as safetensors; name the file so")
    info = labels.info
    trained, held_out = (part[~np.isin(part, list(skipped))] for part in split_frames(info.frame_count, holdout))
    if not (len(trained) and len(held_out)):
        raise InputError(f"{info.name}: all frames of a part are skipped; another --holdout may help")
    known = pseudo_boxes(labels, constraints, trained, candidates, queries)
    if not any(boxes.teach and len(boxes.box) for boxes in known):
        raise InputError(f"{info.name}: no label on its first {int(trained[-1]) + 1} frames; nothing to learn from")
    own = truth_of_boxes(info, pseudo_boxes(labels, constraints, held_out))
    if own.ignored.all():
        raise InputError(f"{info.name}: no label on the {len(held_out)} frames held out; hold out more of it")
    trainable = trainable_detector(detector, resolve_device(device))
    before = create_detector(detector, class_names=info.class_names, min_score=LOWEST_SCORE, device=device)

    encoded = [
        encode_frame(frames.frame(int(frame)))
        for frame in tqdm(trained, desc="reading frames", unit="frame", disable=None if progress else True)
    ]
    samples = Joined((FramesInMemory(info.name, info.class_names, encoded, known),))
    height, width = fitting_size(info.height, info.width, PIXELS)
    views = Views(((width, height),), BATCH, GENTLE)
    run = train_detector(trainable, samples, views, schedule, seed, progress=progress)
    kind, _, base = detector.partition(":")
    about: dict[str, object] = {"data": f"labels and answers of {info.name}", "base": detector, "seed": seed}
    write_trained(weights, kind, run.network, about | {"steps": len(run.losses)})
    if kind == "small" and (head := Path(base).with_suffix(HEAD_SUFFIX)).is_file():  # its maps stay what they were
        write_atomically(weights.with_suffix(HEAD_SUFFIX), read_bytes(head))
    after = create_detector(f"{kind}:{weights}", class_names=info.class_names, min_score=LOWEST_SCORE, device=device)

    found = [detect_frames(one, frames, held_out) for one in (before, after)]
    on_labels = _change(found, own)
    on_truth = None if truth is None else _change(found, at_frames(truth, held_out))
    result = Finetuned(detector, weights, on_labels, on_truth, len(trained), len(held_out), len(run.losses))
    return replace(result, detector=f"{kind}:{weights}") if result.is_better else result


def split_frames(count: int, holdout: float) -> tuple[IntArray, IntArray]:
    """Frames to train on and frames to judge on, which follow them.

    Raises:
        InputError: not a share, or too few frames for one of the two.
    """
    if not 0 < holdout < 1:
        raise InputError(f"--holdout {holdout:g}: a share of the frames, more than 0 and less than 1")
    cut = round(count * (1 - holdout))
    if not 0 < cut < count:
        raise InputError(f"a clip of {count} frames is too short to hold out {holdout:g} of it; label more, or use 0.5")
    return _evenly(0, cut, MOST_FRAMES), _evenly(cut, count, MOST_HELD_OUT)


def detect_frames(detector: Detector, frames: FrameSource, wanted: IntArray) -> Candidates:
    """What a detector finds on the frames [F], numbered 0 … F − 1."""
    found = [detector.detect([frames.frame(int(frame))])[0] for frame in wanted]
    info = replace(frames.info, frame_count=len(wanted), class_names=detector.class_names)
    return Candidates.build(
        info,
        np.repeat(np.arange(len(found)), [len(part.score) for part in found]),
        np.concatenate([part.box for part in found]),
        np.concatenate([part.score for part in found]),
        class_id=np.concatenate([part.class_id for part in found]),
    )


def truth_of_boxes(info: ClipInfo, boxes: Sequence[Boxes]) -> GroundTruth:
    """What is known of F frames in the place of ground truth, frames numbered 0 … F − 1; each box is its own track."""
    box = np.concatenate([part for of_frame in boxes for part in (of_frame.box, of_frame.ignore)])
    counts = [(len(of_frame.box), len(of_frame.ignore)) for of_frame in boxes]
    return GroundTruth(
        info=replace(info, frame_count=len(boxes)),
        track=np.arange(len(box)),
        frame=np.repeat(np.arange(len(boxes)), [sum(count) for count in counts]),
        box=box,
        class_id=np.concatenate(
            [part for of_frame in boxes for part in (of_frame.class_id, np.zeros(len(of_frame.ignore), np.int64))]
        ),
        visibility=np.ones(len(box)),
        ignored=np.concatenate([np.repeat([False, True], count) for count in counts]),
    )


def at_frames(truth: GroundTruth, frames: IntArray) -> GroundTruth:
    """The truth of these frames [F], ascending, numbered 0 … F − 1."""
    rows = np.flatnonzero(np.isin(truth.frame, frames))
    return GroundTruth(
        info=replace(truth.info, frame_count=len(frames)),
        track=truth.track[rows],
        frame=np.searchsorted(frames, truth.frame[rows]),
        box=truth.box[rows],
        class_id=truth.class_id[rows],
        visibility=truth.visibility[rows],
        ignored=truth.ignored[rows],
    )


def _change(found: Sequence[Candidates], truth: GroundTruth) -> Change:
    before, after = (_quality(candidates, truth) for candidates in found)
    return Change(before, after)


def _quality(found: Candidates, truth: GroundTruth) -> Quality:
    by_iou = [detection_quality([(found, truth)], min_iou=iou).average_precision for iou in JUDGED_IOUS]
    return Quality(by_iou[0], float(np.mean(by_iou)))


def _evenly(begin: int, end: int, most: int) -> IntArray:
    count = min(most, end - begin)
    return np.unique(np.linspace(begin, end - 1, count).round().astype(np.int64))

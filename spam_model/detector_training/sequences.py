"""Video with ground truth as images with boxes: MOTChallenge folders with frames, and clips that we render."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from spam_model.data.clip import Clip
from spam_model.data.motchallenge import find_sequence, read_ground_truth
from spam_model.data.rendered import render_clip
from spam_model.detector_training.samples import Boxes, FramesInMemory, encode_frame
from spam_model.errors import InputError
from spam_model.values import GroundTruth
from spam_model.values.candidates import IntArray

LEAST_VISIBLE = 0.25  # share of an object that is seen; below, it is neither an object nor background
RENDERED_SIZES = ((640, 360), (960, 540), (640, 480))


def read_sequence(folder: Path, every: int = 1, weight: float = 1.0) -> FramesInMemory:
    """Every ``every``-th frame of a sequence folder with frames and ``gt/gt.txt``.

    Raises:
        InputError: it has no ground truth or no frames.
        FormatError, VideoError: they do not read.
    """
    sequence = find_sequence(folder)
    if sequence.ground_truth is None:
        raise InputError(f"{folder}: has no gt/gt.txt to train on")
    clip = Clip.open(folder)
    truth = read_ground_truth(sequence.ground_truth, clip.info)
    frames = np.arange(0, clip.info.frame_count, every)
    encoded = [encode_frame(clip.frame(int(frame))) for frame in frames]
    return FramesInMemory(sequence.name, clip.info.class_names, encoded, boxes_of_truth(truth, frames), weight)


def render_sequences(folder: Path, count: int, seed: int, frames: int = 16, weight: float = 1.0) -> FramesInMemory:
    """``frames`` of each of ``count`` rendered streets, half a second apart; rendered where they are missing."""
    rng = np.random.default_rng(seed)
    parts = []
    for index in tqdm(range(count), desc="rendered streets", unit="clip", disable=None):
        width, height = RENDERED_SIZES[index % len(RENDERED_SIZES)]
        place = folder / f"street-{seed}-{index}"
        people = int(rng.integers(3, 30))
        if not (place / "seqinfo.ini").is_file():
            clip_seed = seed * 1000 + index
            render_clip(place, seed=clip_seed, frames=frames, people=people, width=width, height=height, frame_rate=2.0)
        parts.append(read_sequence(place))
    encoded = [image for part in parts for image in part.encoded]
    boxes = [of_image for part in parts for of_image in part.boxes]
    return FramesInMemory("rendered", ("person",), encoded, boxes, weight)


def boxes_of_truth(truth: GroundTruth, frames: IntArray) -> list[Boxes]:
    """What is known of each of the frames: objects that are hidden, and distractors, are ignored."""
    result = []
    for frame in frames:
        rows = np.flatnonzero((truth.frame == frame) & (truth.class_id >= 0))
        hidden = truth.ignored[rows] | (truth.visibility[rows] < LEAST_VISIBLE)
        seen = rows[~hidden]
        result.append(Boxes.build(truth.box[seen], class_id=truth.class_id[seen], ignore=truth.box[rows[hidden]]))
    return result

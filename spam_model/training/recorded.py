"""Ground truth of recorded or rendered video as training material: MOTChallenge and MOTSynth folders.

Where a sequence comes with detections they are the candidates, and what they show is found by matching them to the
truth. Where it does not, a detector is simulated upon the truth, another one for each clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from spam_model.data.motchallenge import read_detections, read_ground_truth, read_sequence_info
from spam_model.data.motsynth import find_motsynth, read_motsynth
from spam_model.detectors.simulated import SimulatedFaults, simulate_detections
from spam_model.errors import InputError
from spam_model.evaluation.matching import IGNORED, match_to_truth
from spam_model.training.sources import LONGEST, Labelled, longest_clip
from spam_model.training.variations import window
from spam_model.values import Candidates, GroundTruth

SEQUENCES_IN_MEMORY = 32
_CANDIDATES_PER_BOX = 1.5  # that the simulated detector gives


@dataclass(frozen=True)
class Recording:
    """One sequence; ``candidates`` is None where a detector has to be simulated."""

    truth: GroundTruth
    candidates: Candidates | None


@dataclass(frozen=True)
class Recorded:
    """Random windows of random sequences.

    Attributes:
        name: of the data set, for the card.
        paths: of the sequences.
        read: what reads one of them.
    """

    name: str
    paths: tuple[Path, ...]
    read: Callable[[Path], Recording]

    def draw(self, rng: np.random.Generator) -> Labelled:
        recording = self.read(self.paths[int(rng.integers(len(self.paths)))])
        if recording.candidates is None:
            return _with_simulated_detector(recording.truth, rng)
        return _with_detections(recording.candidates, recording.truth, rng)


def motchallenge(root: Path, detections: str | None = None) -> Recorded:
    """The sequences with ground truth in ``root``, at any depth, or ``root`` itself.

    Args:
        detections: candidates from ``det/<detections>.txt``; None simulates a detector.

    Raises:
        InputError: there is none, or one of them lacks the detections.
    """
    folders = tuple(sorted(path.parent.parent for path in root.glob("**/gt/gt.txt")))
    if not folders:
        raise InputError(f"{root}: no MOTChallenge sequence with gt/gt.txt here")
    for folder in folders:
        if detections is not None and not (folder / "det" / f"{detections}.txt").is_file():
            raise InputError(f"{folder}: no det/{detections}.txt; without --detections a detector is simulated")
    name = f"motchallenge {root.resolve().name}, {len(folders)} sequences, {detections or 'simulated'} detections"
    return Recorded(name, folders, partial(_read_motchallenge, detections=detections))


def motsynth(root: Path) -> Recorded:
    """MOTSynth as released, with simulated detections.

    Raises:
        InputError: there is none.
    """
    paths = find_motsynth(root)
    return Recorded(f"motsynth {root.resolve().name}, {len(paths)} sequences", paths, _read_motsynth)


@lru_cache(SEQUENCES_IN_MEMORY)
def _read_motchallenge(folder: Path, detections: str | None) -> Recording:
    info = read_sequence_info(folder)
    truth = read_ground_truth(folder / "gt" / "gt.txt", info)
    if detections is None:
        return Recording(truth, None)
    return Recording(truth, read_detections(folder / "det" / f"{detections}.txt", info))


@lru_cache(SEQUENCES_IN_MEMORY)
def _read_motsynth(path: Path) -> Recording:
    return Recording(read_motsynth(path), None)


def _with_detections(candidates: Candidates, truth: GroundTruth, rng: np.random.Generator) -> Labelled:
    first, length = _random_window(candidates.info.frame_count, len(candidates), rng)
    candidates = window(candidates, first, length)
    identity, _ = match_to_truth(candidates, truth_window(truth, first, length))
    return Labelled.known(candidates, identity).take(np.flatnonzero(identity != IGNORED))


def _with_simulated_detector(truth: GroundTruth, rng: np.random.Generator) -> Labelled:
    boxes = int((~truth.ignored).sum())
    truth = truth_window(truth, *_random_window(truth.info.frame_count, _CANDIDATES_PER_BOX * boxes, rng))
    if truth.ignored.all():
        return Labelled.known(Candidates.build(truth.info, *_nothing()), np.zeros(0, np.int64))
    candidates = simulate_detections(truth, seed=int(rng.integers(2**31)), faults=sample_faults(rng))
    identity, _ = match_to_truth(candidates, truth)
    return Labelled.known(candidates, identity).take(np.flatnonzero(identity != IGNORED))


def _random_window(frames: int, candidates: float, rng: np.random.Generator) -> tuple[int, int]:
    """First frame and length."""
    length = min(frames, LONGEST, longest_clip(rng, candidates / frames))
    return int(rng.integers(frames - length + 1)), length


def truth_window(truth: GroundTruth, first: int, length: int) -> GroundTruth:
    """The boxes of ``length`` frames from ``first`` on, that frame being 0."""
    rows = np.flatnonzero((truth.frame >= first) & (truth.frame < first + length))
    return GroundTruth(
        info=replace(truth.info, frame_count=length),
        track=truth.track[rows],
        frame=truth.frame[rows] - first,
        box=truth.box[rows],
        class_id=truth.class_id[rows],
        visibility=truth.visibility[rows],
        ignored=truth.ignored[rows],
    )


def sample_faults(rng: np.random.Generator) -> SimulatedFaults:
    """A random detector, from good to poor, around the defaults of ``SimulatedFaults``."""

    def around(value: float, factor: float) -> float:
        return float(value * np.exp(rng.uniform(-np.log(factor), np.log(factor))))

    usual = SimulatedFaults()
    return SimulatedFaults(
        base_logit=float(rng.uniform(1.2, 3.0)),
        occlusion_drop=around(usual.occlusion_drop, 1.4),
        score_noise=around(usual.score_noise, 2.0),
        jitter=around(usual.jitter, 2.5),
        drift=around(usual.drift, 2.0),
        duplicate_rate=around(usual.duplicate_rate, 3.0),
        clutter=int(rng.integers(0, 10)),
        transient_rate=around(usual.transient_rate, 6.0),
    )


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0)

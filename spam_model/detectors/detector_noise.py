"""What is wrong with a detector's boxes, as statistics: a small value that is fitted once and stored as JSON.

Everything is a Gaussian copula: quantiles say how a quantity is distributed, a correlation or a memory in time says how
its normal scores hang together. So skewed scores, misses (score 0) and heavy tails are all kept as they were measured.
``spam_model.detectors.noise_fit`` fits it, ``spam_model.detectors.noisy`` applies it to ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from spam_model.errors import FormatError, InputError
from spam_model.simulation.occlusion import look
from spam_model.storage import write_atomically
from spam_model.values import GroundTruth
from spam_model.values.candidates import FloatArray

SHIPPED_NOISE = Path(__file__).parent.parent / "weights" / "yolox_x_noise.json"

# Levels of all tables of quantiles; dense at both ends, where misses and outliers are.
LEVELS = np.array([0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.07, *np.arange(0.1, 0.95, 0.05), 0.96, 0.98, 0.99, 1.0])

Row = tuple[float, ...]
Table = tuple[Row, ...]


@dataclass(frozen=True)
class Memory:
    """Correlation over time of C normal scores: lasting_c + slow_c · f(τ / seconds), the rest is white.

    f is that of ``simulation.noise.smooth_noise`` of this order: e^{−x}, or (1 + x) e^{−x} for paths without kinks.
    """

    order: int
    seconds: float
    lasting: Row
    slow: Row


@dataclass(frozen=True)
class Conditional:
    """Quantiles of a quantity given another one: ``quantiles[b]`` (at ``LEVELS``) where that one is ``at[b]``."""

    at: Row
    quantiles: Table


@dataclass(frozen=True)
class FalsePositives:
    """Runs of false positives, each of which follows one object or stays at one place.

    Attributes:
        rate: runs begun per second, of each person or of the scene.
        quantiles: [7][K] of a run's log duration in s, mean and standard deviation of the logit of its scores, and four
            numbers of its box. On people: offset of the middle in widths, of the bottom in heights, log height and log
            width ratio. In the scene: log height over the clip's median, log aspect, and the last two 0.
        correlation: [7][7] of their normal scores.
        wobble: [5] standard deviation within a run of the logit, in its own, and of x, y (heights), log height, log
            width.
        memory: of the wobble.
    """

    rate: float
    quantiles: Table
    correlation: Table
    wobble: Row
    memory: Memory


@dataclass(frozen=True)
class DetectorNoise:
    """A detector's faults on people.

    Attributes:
        source: what it was fitted on, in words.
        min_score: lowest score that the detector reported; 0 in a table means a miss.
        large: share of the image height from which a person is large.
        small_scores, large_scores: score of a person's box given the share of the person that is seen.
        score_memory: of that score.
        errors: four tables, of the error of the bottom centre in x and y (heights), log height, log width, given the
            score.
        error_memory, error_correlation: of these four.
        on_people, in_scene: all other boxes; flashes and lasting ones are populations of their own.
        max_iou: more than two reported boxes ever overlap.
    """

    source: str
    min_score: float
    large: float
    small_scores: Conditional
    large_scores: Conditional
    score_memory: Memory
    errors: tuple[Conditional, Conditional, Conditional, Conditional]
    error_memory: Memory
    error_correlation: Table
    on_people: tuple[FalsePositives, ...]
    in_scene: tuple[FalsePositives, ...]
    max_iou: float


_JSON = TypeAdapter(DetectorNoise)


def write_noise(path: Path, noise: DetectorNoise) -> None:
    write_atomically(path, _JSON.dump_json(noise, indent=1))


def read_noise(path: Path = SHIPPED_NOISE) -> DetectorNoise:
    """Reads what ``write_noise`` wrote; by default the statistics that are shipped.

    Raises:
        InputError: there is no such file.
        FormatError: it does not read as detector noise.
    """
    try:
        return _JSON.validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"no detector noise at {path}: {error.strerror}; fit one with fit_noise") from error
    except ValidationError as error:
        raise FormatError(
            f"{path}: not the statistics of a detector: {error.errors()[0]['msg']}; fit it anew"
        ) from error


def seen_shares(truth: GroundTruth) -> FloatArray:
    """Share of each truth box that lies in the image and behind no other, [M]; nearer is whose bottom is lower."""
    if len(truth) == 0:
        return np.zeros(0)
    tracks, track = np.unique(truth.track, return_inverse=True)
    box = np.zeros((len(tracks), truth.info.frame_count, 4))
    present = np.zeros(box.shape[:2], bool)
    box[track, truth.frame], present[track, truth.frame] = truth.box, True
    sight = look(box, -box[..., 3], present, len(tracks), truth.info.width, truth.info.height)
    return np.asarray(sight.visibility[track, truth.frame])

"""A detector's boxes on people: scores that fall with occlusion, misses, box errors, second boxes and part boxes.

One latent logit per person and frame makes scores and misses agree: it falls with occlusion, wanders in time, and what
falls below the score threshold is a miss. Its curve follows the recall of YOLOX-X on MOT17-05 and MOT17-11 by
visibility (0.59 below 0.1, 0.89 to 0.25, 0.96 to 0.5, 0.98 above) and the quartiles of its scores.
"""

from __future__ import annotations

import numpy as np

from spam_model import geometry
from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.noise import smooth_noise
from spam_model.simulation.occlusion import Sight
from spam_model.simulation.proposals import Proposals
from spam_model.values.candidates import BoolArray, FloatArray

# Least box errors that were measured (x and y over height, log height, log width): white, and slow (0.18 s, two poles).
WHITE = np.array([0.0025, 0.0035, 0.0045, 0.0120])
SLOW = np.array([0.013, 0.014, 0.015, 0.055])
SLOW_CORRELATION = 0.18  # s
SUDDEN_MISS = 0.004
UNLABELLED_PENALTY = 1.0


def detect_people(
    box: FloatArray,
    present: BoolArray,
    sight: Sight,
    labelled: BoolArray,
    config: SimulationConfig,
    rng: np.random.Generator,
) -> Proposals:
    """Boxes on P people.

    Args:
        box: [P, F, 4] px, whole people; present: [P, F]; labelled: [P], false for who is no truth.
    """
    people, frames = present.shape
    logit = _logits(box, sight, config, rng) - UNLABELLED_PENALTY * ~labelled[:, None]
    own = present & (rng.random((people, frames)) >= SUDDEN_MISS)
    shrink = config.shrink * (sight.visibility > 0.1)[..., None]
    believed = box + shrink * (sight.seen_box - box)
    parts = [_proposals(_with_errors(believed, sight, config, rng), own, logit, sight, labelled, primary=True)]

    rare = smooth_noise(rng, people, frames, config.frame_rate) > 0.5  # 31 % of the time
    second = own & rare & (rng.random((people, 1)) < config.duplicate_share)
    lower = rng.uniform(1.0, 3.0, (people, 1))
    parts.append(
        _proposals(_second_boxes(believed, config, rng), second, logit - lower, sight, labelled, primary=False)
    )

    often = smooth_noise(rng, people, frames, 1.5 * config.frame_rate) > 0.25  # 40 % of the time
    riding = present & often & (rng.random((people, 1)) < config.part_share)
    part_logit = rng.normal(-0.8, 0.7, (people, 1)) + 0.6 * smooth_noise(rng, people, frames, config.frame_rate / 2)
    part_logit -= 2.0 * (1 - sight.visibility)
    part_box = _with_errors(_part_boxes(box, rng), sight, config, rng)
    parts.append(_proposals(part_box, riding, part_logit, sight, np.zeros(people, bool), primary=False))
    return Proposals.join(parts)


def _logits(box: FloatArray, sight: Sight, config: SimulationConfig, rng: np.random.Generator) -> FloatArray:
    people, frames = sight.visibility.shape
    hidden = 1 - sight.visibility
    tall = np.nan_to_num(box[..., 3] - box[..., 1]) / config.height
    level = config.base_logit - 0.7 * hidden - 6.0 * np.clip((hidden - 0.7) / 0.3, 0, 1) ** 1.5
    level -= 0.8 * np.clip((0.1 - tall) / 0.1, 0, 1)
    level += rng.normal(0, config.score_noise, (people, 1))
    slow = smooth_noise(rng, people, frames, 0.3 * config.frame_rate)
    white = rng.standard_normal((people, frames))
    return np.asarray(level + (config.score_noise + 1.4 * hidden**2) * (0.85 * slow + 0.5 * white))


def _with_errors(box: FloatArray, sight: Sight, config: SimulationConfig, rng: np.random.Generator) -> FloatArray:
    """[P, F, 4] -> [P, F, 4]: white jitter plus a slow error, both larger where more is hidden."""
    people, frames = sight.visibility.shape
    slow = smooth_noise(rng, 4 * people, frames, SLOW_CORRELATION * config.frame_rate, order=2)
    white = rng.standard_normal((4 * people, frames))
    error = (
        config.slow_error * SLOW[:, None, None] * slow.reshape(4, people, frames)
        + config.jitter * WHITE[:, None, None] * white.reshape(4, people, frames)
    ) * (2 - sight.visibility)  # [4, P, F]
    bias = config.slow_error * 0.03 * rng.standard_normal((people, 1))
    width = (box[..., 2] - box[..., 0]) * np.exp(error[3] + bias)
    height = (box[..., 3] - box[..., 1]) * np.exp(error[2])
    middle = (box[..., 0] + box[..., 2]) / 2 + error[0] * height
    bottom = box[..., 3] + error[1] * height
    return np.stack([middle - width / 2, bottom - height, middle + width / 2, bottom], axis=-1)


def _second_boxes(box: FloatArray, config: SimulationConfig, rng: np.random.Generator) -> FloatArray:
    """Boxes of IoU 0.4–0.8 with the person's own: too short at one end, or shifted."""
    people, frames = box.shape[:2]
    cut = rng.uniform(0.1, 0.45, (people, 1)) + 0.05 * smooth_noise(rng, people, frames, config.frame_rate)
    at_top = rng.random((people, 1)) < 0.3
    size = box[..., 2:] - box[..., :2]
    shift = rng.normal(0, 0.1, (people, 1)) * size[..., 0]
    top = box[..., 1] + np.where(at_top, cut, 0.0) * size[..., 1]
    bottom = box[..., 3] - np.where(at_top, 0.0, cut) * size[..., 1]
    return np.stack([box[..., 0] + shift, top, box[..., 2] + shift, bottom], axis=-1)


def _part_boxes(box: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A fixed part of each person's box: head and shoulders, legs, a bag."""
    people = len(box)
    width, height = rng.uniform(0.5, 1.0, people), rng.uniform(0.25, 0.5, people)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    size = box[..., 2:] - box[..., :2]
    part = np.stack([left, top, left + width, top + height], axis=1)[:, None, :]  # [P, 1, 4]
    return np.asarray(np.tile(box[..., :2], 2) + part * np.tile(size, 2))


def _proposals(
    box: FloatArray, there: BoolArray, logit: FloatArray, sight: Sight, valid: BoolArray, primary: bool
) -> Proposals:
    person, frame = np.nonzero(there & np.isfinite(box).all(axis=-1))
    return Proposals(
        frame=frame,
        box=box[person, frame],
        logit=logit[person, frame],
        owner=np.where(valid[person], person, -1),
        primary=np.full(len(frame), primary),
        look=person,
        mixed_with=sight.occluder[person, frame],
        hidden=1 - sight.visibility[person, frame],
    )


def identities(proposals: Proposals, box: FloatArray) -> np.ndarray:
    """The person each reported box is a valid box of, [N] int64, -1 for none; one box per person and frame at most.

    A person's own box is valid at IoU ≥ 0.5 with the truth ``box`` [P, F, 4]; where it is not reported, the second box
    of the highest score may stand for it, under the same condition.
    """
    candidate = np.flatnonzero(proposals.owner >= 0)
    owner, frame = proposals.owner[candidate], proposals.frame[candidate]
    fits = geometry.iou_rows(proposals.box[candidate], box[owner, frame]) >= 0.5
    candidate, owner, frame = candidate[fits], owner[fits], frame[fits]
    order = np.lexsort((-proposals.logit[candidate], ~proposals.primary[candidate]))
    _, first = np.unique(frame[order] * len(box) + owner[order], return_index=True)
    chosen = candidate[order[first]]
    result = np.full(len(proposals), -1, np.int64)
    result[chosen] = proposals.owner[chosen]
    return result

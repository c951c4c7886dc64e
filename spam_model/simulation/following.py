"""What a motion model would see at the loose ends of the candidates' tracks: boxes it follows, and boxes it loses.

It follows an object as long as that is seen. Behind another one it goes over to that one, or waits where the object
would be, until that is seen near by. So its evidence is good where little is hidden and may mislead where much is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spam_model.simulation.occlusion import Sight
from spam_model.simulation.proposals import Proposals
from spam_model.values import MotionEvidence
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

OFFSETS = (1, 2, 3, 5, 8, 13, 21, 30)  # frames after or before an end
ERRORS = (0.5, 3.0)  # of the motion model, from clip to clip: the size of its drift and jitter
ALSO_FOLLOWED = 0.03  # share of the candidates that are no loose ends
HIDDEN = 0.35  # visibility below which an object may be lost
TO_OCCLUDER = 0.5  # of the objects that are lost behind another one
SLIPS = 0.02  # chance per look of losing what is well seen
FOUND_AGAIN = 0.6  # chance per look, of an object that is seen near by


@dataclass(frozen=True)
class Objects:
    """Boxes [Q, F, 4] px, and how much of each is seen [Q, F], of people and fixed things; who hides it [Q, F], -1."""

    box: FloatArray
    visibility: FloatArray
    occluder: IntArray

    @classmethod
    def of(cls, people: FloatArray, present: BoolArray, sight: Sight, things: FloatArray) -> Objects:
        seen = np.where(present, sight.visibility, 0.0)
        shape = things.shape[:2]
        return cls(
            np.nan_to_num(np.concatenate([people, things])),
            np.concatenate([seen, np.isfinite(things).all(axis=2).astype(float)]),
            np.concatenate([sight.occluder, np.full(shape, -1)]),
        )


def follow(proposals: Proposals, objects: Objects, rng: np.random.Generator) -> MotionEvidence:
    """Evidence at loose ends, forwards and backwards; a proposal's row is its candidate's id."""
    error = float(np.exp(rng.uniform(*np.log(ERRORS))))
    parts = [_follow_one_way(proposals, objects, error, rng, direction) for direction in (1, -1)]
    return MotionEvidence.build(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _follow_one_way(
    proposals: Proposals, objects: Objects, error: float, rng: np.random.Generator, direction: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    rows = _loose_ends(proposals, rng, direction)
    rows = rows[proposals.look[rows] < len(objects.box)]
    frames = objects.box.shape[1]
    start, target = proposals.frame[rows], proposals.look[rows].copy()
    own = target.copy()
    box = proposals.box[rows].copy()
    height = box[:, 3] - box[:, 1]
    slip = np.zeros((len(rows), 2))  # px, from where the followed object is
    waiting = np.zeros(len(rows), bool)
    found: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    for offset in OFFSETS:
        frame = start + direction * offset
        inside = (frame >= 0) & (frame < frames)
        at = np.clip(frame, 0, frames - 1)
        seen = objects.visibility[target, at]
        lost = ~waiting & (rng.random(len(rows)) < SLIPS + 0.7 * np.clip((HIDDEN - seen) / HIDDEN, 0, 1))
        thief = objects.occluder[target, at]
        stolen = lost & (thief >= 0) & (rng.random(len(rows)) < TO_OCCLUDER)
        target = np.where(stolen, thief, target)
        waiting |= lost & ~stolen
        truth = objects.box[target, at]
        drift = error * 0.06 * np.sqrt(offset) * height[:, None] * rng.standard_normal((len(rows), 2))
        slip = np.where(waiting[:, None], slip + drift, 0.0)
        near = np.hypot(*slip.T) < 0.5 * height
        again = waiting & near & (objects.visibility[own, at] > 0.5) & (rng.random(len(rows)) < FOUND_AGAIN)
        waiting &= ~again
        slip[again] = 0.0
        seen = objects.visibility[target, at]
        logit = np.where(waiting, -2.5, 5 * (seen - 0.35)) - 0.02 * offset + rng.normal(0, 0.8, len(rows))
        noise = error * (0.015 + 0.008 * np.sqrt(offset)) * rng.standard_normal((len(rows), 4))
        size = np.tile(truth[:, 2:] - truth[:, :2], 2)
        guess = truth + noise * size + np.tile(slip, 2)
        good = inside & (guess[:, 2:] - guess[:, :2] > 1).all(axis=1)
        found.append((rows[good], frame[good], guess[good], 1 / (1 + np.exp(-logit[good]))))
    id, frame, box, visibility = (np.concatenate(column) for column in zip(*found, strict=True))
    return id, frame, box, visibility


def _loose_ends(proposals: Proposals, rng: np.random.Generator, direction: int) -> IntArray:
    """Rows whose object has no box in the next frame of this direction, and some others."""
    order = np.lexsort((direction * proposals.frame, proposals.look))
    look, frame = proposals.look[order], proposals.frame[order]
    step = np.append(direction * np.diff(frame), 2)
    continues = np.append(np.diff(look) == 0, False) & (step <= 1)
    return np.sort(order[~continues | (rng.random(len(order)) < ALSO_FOLLOWED)])

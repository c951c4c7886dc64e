"""Trains EMM and IMM on frame pairs: which boxes of one frame lie where in another (SiamMOT, Sec. 3.2 to 4.2).

Three kinds of triplets are learned from: positive (the search region holds the object), hard (it holds somebody else,
or the object is covered) and negative (the template holds no object, so that false alarms die out). The search region
is never centred on the truth but as far off as a prediction would be.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.geometry import centres, from_centres, iou_matrix, iou_rows, sizes
from spam_model.motion.emm import PLACES, SEARCH, SEARCH_FACTOR, TEMPLATE, Response, decode, places
from spam_model.motion.imm import motion_between
from spam_model.motion.model import MotionModel, normalise
from spam_model.motion.roi_align import choose_level, roi_align
from spam_model.motion.training_data import FeatureBank, TrainingFrame, TrainingSequence
from spam_model.values.candidates import FloatArray

LONGEST_GAP = 30  # frames between the two frames of a pair
LEAST_VISIBILITY = 0.5  # of the box that the template is cut from
SEEN, HIDDEN = (
    0.3,
    0.1,
)  # visibility from which an object is to be found, and up to which it is not; between: not learned
INSIDE = PLACES / 2 / TEMPLATE  # widths from the region's middle to the object's, up to which a place shows it
OUTSIDE = 0.9  # widths from which none does; between: not learned
BOXES_PER_PAIR = 6
PAIRS = 6  # in a batch
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 1e-4, 20
GAMMA = 2.0  # of the focal loss
HARD, NEGATIVE = 0.12, 0.08  # shares of the triplets
CALIBRATION_BATCHES, CALIBRATION_HARD = 24, 0.45  # about as many lost as found ones
FOUND_IOU = 0.5  # with the truth, of a box that counts as found
REGRESSION_WEIGHT = 1.0


@dataclass(frozen=True)
class Triplets:
    """A batch of n, all RoI-aligned from the detector's own maps, which are not trained.

    Attributes:
        level: [n] whose projection serves.
        template, search, before: [C_level, …] of each, a list as channels differ.
        truth: [n, 4] the object's box from the search region's middle, in halves of the region.
        visible: [n] whether the object is in the region and seen.
        motion: [n, 4] Eq. 2 from the region's middle box to the object, for the IMM.
    """

    level: Tensor
    template: list[Tensor]
    search: list[Tensor]
    before: list[Tensor]
    truth: Tensor
    visible: Tensor
    motion: Tensor


@dataclass(frozen=True)
class TrainedMotion:
    """The model, and how it came about."""

    model: MotionModel
    steps: int
    seconds: float
    losses: tuple[tuple[float, float, float], ...]  # visibility and centreness; IoU; IMM
    triplets: int


class TripletSampler:
    """Draws triplets; the same generator gives the same ones."""

    def __init__(
        self,
        sequences: Sequence[TrainingSequence],
        bank: FeatureBank,
        rng: np.random.Generator,
        hard: float = HARD,
    ) -> None:
        """``hard``: share of the triplets whose search region is put on somebody else."""
        self._bank, self._rng, self._hard = bank, rng, hard
        videos = [each for each in sequences if len(each.frames) > 2]
        pairs = [each for each in sequences if len(each.frames) == 2]
        self._kinds = [kind for kind in (videos, pairs) if kind]

    def batch(self) -> Triplets:
        """``PAIRS`` frame pairs, half of them of videos where there are both."""
        parts: list[Triplets] = []
        while len(parts) < PAIRS:
            kind = self._kinds[len(parts) % len(self._kinds)]
            drawn = self._pair(kind[int(self._rng.integers(len(kind)))])
            if drawn is not None:
                parts.append(drawn)
        return Triplets(
            torch.cat([part.level for part in parts]),
            [each for part in parts for each in part.template],
            [each for part in parts for each in part.search],
            [each for part in parts for each in part.before],
            torch.cat([part.truth for part in parts]),
            torch.cat([part.visible for part in parts]),
            torch.cat([part.motion for part in parts]),
        )

    def _pair(self, sequence: TrainingSequence) -> Triplets | None:
        rng = self._rng
        count = len(sequence.frames)
        gap = int(rng.integers(1, min(LONGEST_GAP, count - 1) + 1))
        start = int(rng.integers(0, count - gap))
        first, second = sequence.frames[start], sequence.frames[start + gap]
        if rng.random() < 0.5:  # backwards in time
            first, second = second, first
        rows, others = _common(first, second)
        if len(rows) == 0:
            return None
        chosen = rng.permutation(len(rows))[:BOXES_PER_PAIR]
        rows, others = rows[chosen], others[chosen]
        start_box, end_box = first.box[rows], second.box[others]
        kind = rng.random(len(rows))
        jitter = rng.normal(0, 0.04, (len(rows), 4))
        template = _moved(start_box, jitter)
        truth = _moved(end_box, jitter)  # what lies in the template is to be found again, as the template cut it
        size = sizes(truth) * np.exp(rng.normal(0, 0.08, (len(rows), 2)))
        off = np.where(
            rng.random((len(rows), 1)) < 0.7,
            rng.normal(0, 0.15, (len(rows), 2)),
            rng.uniform(-0.53, 0.53, (len(rows), 2)),
        )
        middle = centres(truth) + off * size
        hard = (kind < self._hard) & (len(second.box) > 1)
        for row in np.flatnonzero(hard):
            other = int(rng.integers(len(second.box)))
            middle[row] = centres(second.box[other : other + 1])[0] + rng.normal(0, 0.15, 2) * size[row]
        visible = second.visibility[others] >= SEEN
        empty = kind > 1 - NEGATIVE
        for row in np.flatnonzero(empty):
            background = _background(first, size[row], rng)
            if background is None:
                empty[row] = False
            else:
                template[row] = background
        region = from_centres(middle, size * SEARCH_FACTOR)
        off = (np.abs(centres(truth) - middle) / size).max(axis=1)
        visible &= ~empty & (off <= INSIDE)
        clear = (off <= INSIDE) | (off >= OUTSIDE) | empty
        if not clear.any():
            return None
        return self._cut(first, second, template[clear], region[clear], truth[clear], visible[clear])

    def _cut(
        self,
        first: TrainingFrame,
        second: TrainingFrame,
        template: FloatArray,
        region: FloatArray,
        truth: FloatArray,
        visible: np.ndarray,
    ) -> Triplets:
        before_maps, after_maps = self._bank.maps(first.index), self._bank.maps(second.index)
        boxes = torch.from_numpy(template)
        level = choose_level(boxes, before_maps)
        middle, size = centres(region), sizes(region) / SEARCH_FACTOR
        around = torch.from_numpy(from_centres(centres(template), sizes(template) * SEARCH_FACTOR))
        cut_template, cut_search, cut_before = [], [], []
        for row in range(len(boxes)):
            index, one = int(level[row]), slice(row, row + 1)
            before, after = _only(before_maps, index), _only(after_maps, index)
            cut_template.append(roi_align(before, boxes[one], TEMPLATE)[0])
            cut_search.append(roi_align(after, torch.from_numpy(region[one]), SEARCH)[0])
            cut_before.append(roi_align(before, around[one], TEMPLATE)[0])
        here = np.concatenate([(truth[:, :2] - middle) / size, (truth[:, 2:] - middle) / size], axis=1)
        searched = torch.from_numpy(from_centres(middle, size))
        return Triplets(
            level,
            cut_template,
            cut_search,
            cut_before,
            torch.from_numpy(here).float(),
            torch.from_numpy(visible.copy()),
            motion_between(searched, torch.from_numpy(truth)).float(),
        )


def _only(maps: FeatureMaps, level: int) -> FeatureMaps:
    return replace(maps, maps=maps.maps[level : level + 1], strides=maps.strides[level : level + 1])


def _common(first: TrainingFrame, second: TrainingFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of objects in both frames that are well seen in the first, and clearly seen or hidden in the other."""
    _, rows, others = np.intersect1d(first.track, second.track, return_indices=True)
    good = first.visibility[rows] >= LEAST_VISIBILITY
    there = second.visibility[others]
    good &= (there >= SEEN) | (there <= HIDDEN)
    return rows[good], others[good]


def _moved(box: FloatArray, jitter: FloatArray) -> FloatArray:
    """Boxes with middle shifted by jitter[:, :2] sizes and size scaled by exp(jitter[:, 2:])."""
    size = sizes(box)
    return from_centres(centres(box) + jitter[:, :2] * size, size * np.exp(jitter[:, 2:]))


def _background(frame: TrainingFrame, size: FloatArray, rng: np.random.Generator) -> FloatArray | None:
    """A box of this size that shows no object, or None."""
    width, height = frame.size
    for _ in range(8):
        middle = rng.uniform(0, 1, 2) * np.array([width, height])
        box = from_centres(middle[None], size[None])
        if iou_matrix(box, frame.box).max(initial=0) < 0.1:
            return np.asarray(box[0])
    return None


def motion_loss(model: MotionModel, batch: Triplets) -> tuple[Tensor, Tensor, Tensor]:
    """Focal loss of visibility with that of centreness; centreness-weighted IoU loss (Eq. 6); loss of the IMM."""
    template, search, before = (
        _projected(model, batch.level, each) for each in (batch.template, batch.search, batch.before)
    )
    response = model.explicit(template, search)
    visible, shape = targets(batch.truth, batch.visible)
    count = visible.sum().clamp(min=1)
    focal = _focal(response.visibility, visible).sum() / count
    centre = functional.binary_cross_entropy_with_logits(response.centreness, shape, reduction="none")
    centre = (centre * visible).sum() / count
    overlap = ((1 - _iou(response, batch.truth)) * shape * visible).sum() / (shape * visible).sum().clamp(min=1)
    seen, motion = model.implicit(before, functional.avg_pool2d(search, 2))
    implicit = _focal(seen, batch.visible.float()).mean() * 4
    error = functional.smooth_l1_loss(motion, batch.motion, reduction="none", beta=0.05).sum(dim=1)
    implicit = implicit + (error * batch.visible).sum() / batch.visible.sum().clamp(min=1)
    return focal + centre, overlap, implicit


def targets(truth: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """v* and w of Eq. 6 for every place: [n, K] each. ``truth`` [n, 4] from the region's middle, ``visible`` [n]."""
    at = places(truth.device)
    low = at[None] - truth[:, None, :2]  # [n, K, 2]
    high = truth[:, None, 2:] - at[None]
    inside = (torch.minimum(low, high) > 0).all(dim=2)
    ratio = torch.minimum(low, high).clamp(min=0) / torch.maximum(low, high).clamp(min=1e-3)
    return (inside & visible[:, None]).float(), ratio.prod(dim=2).sqrt()


def _iou(response: Response, truth: Tensor) -> Tensor:
    """IoU of the box at each place with the truth, [n, K]."""
    at = places(truth.device)
    low = at - response.sides[..., :2]
    high = at + response.sides[..., 2:]
    shared = (torch.minimum(high, truth[:, None, 2:]) - torch.maximum(low, truth[:, None, :2])).clamp(min=0).prod(dim=2)
    union = (high - low).prod(dim=2) + (truth[:, 2:] - truth[:, :2]).prod(dim=1)[:, None] - shared
    return shared / union.clamp(min=1e-6)


def _focal(logit: Tensor, target: Tensor) -> Tensor:
    cross_entropy = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (1 - torch.exp(-cross_entropy)) ** GAMMA * cross_entropy


def _projected(model: MotionModel, level: Tensor, features: list[Tensor]) -> Tensor:
    """[n, C, s, s] of raw features of each level, at length 1."""
    size = features[0].shape[-1]
    result = features[0].new_zeros(len(features), model.channels, size, size)
    for index, projection in enumerate(model.projections):
        rows = torch.nonzero(level == index).squeeze(1)
        if len(rows):
            result = result.index_copy(0, rows, projection(torch.stack([features[int(row)] for row in rows])))
    return normalise(result)


def calibrate(model: MotionModel, sampler: TripletSampler, batches: int = CALIBRATION_BATCHES) -> None:
    """Makes the visibility of the place that is chosen the probability that the object was found; in place.

    Slope and shift of the logits are fitted by logistic regression (Platt scaling) on triplets of which about half show
    the object. Found is what is visible and overlaps the truth by ``FOUND_IOU``.
    """
    logits, found = [], []
    model.explicit.calibration.copy_(torch.tensor([1.0, 0.0]))
    for _ in range(batches):
        batch = sampler.batch()
        with torch.inference_mode():
            template, search = (_projected(model, batch.level, each) for each in (batch.template, batch.search))
            visibility, box = decode(model.explicit(template, search))
        logits += torch.logit(visibility, 1e-6).tolist()
        overlap = iou_rows(box.numpy().astype(np.float64), batch.truth.numpy().astype(np.float64))
        found += (batch.visible.numpy() & (overlap >= FOUND_IOU)).tolist()
    logit, target = torch.tensor(logits), torch.tensor(found, dtype=torch.float32)
    parameters = torch.tensor([1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=100)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = functional.binary_cross_entropy_with_logits(parameters[0] * logit + parameters[1], target)
        value = value + 1e-3 * parameters.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    model.explicit.calibration.copy_(parameters.detach())


def train_motion(
    sampler: TripletSampler, model: MotionModel, *, minutes: float, steps: int | None = None
) -> TrainedMotion:
    """AdamW with a warm-up and a cosine decay over the time given."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    start = time.monotonic()
    limit = 60 * minutes
    share = 0.0  # of the training that is over

    def rate(step: int) -> float:
        return min((step + 1) / WARM_UP, 1.0) * 0.5 * (1 + float(np.cos(np.pi * share)))

    schedule = LambdaLR(optimiser, rate)
    losses: list[tuple[float, float, float]] = []
    triplets = 0
    model.train()
    with tqdm(total=steps, desc="train motion", unit="step", disable=None) as bar:
        while share < 1:
            batch = sampler.batch()
            parts = motion_loss(model, batch)
            loss = parts[0] + REGRESSION_WEIGHT * parts[1] + parts[2]
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            losses.append((float(parts[0].detach()), float(parts[1].detach()), float(parts[2].detach())))
            triplets += len(batch.visible)
            share = len(losses) / steps if steps else (time.monotonic() - start) / limit
            schedule.step()
            bar.update()
            bar.set_postfix_str(" ".join(f"{value:.3f}" for value in np.mean(losses[-50:], axis=0)))
    return TrainedMotion(model.eval(), len(losses), time.monotonic() - start, tuple(losses), triplets)

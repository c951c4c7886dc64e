"""Distils an embedding head: it learns to say of a person what a re-identification model says of the crop."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from spam_model.evaluation.appearance_auc import area_under_curve
from spam_model.eyes.embedding_head import EmbeddingHead, unit_length
from spam_model.eyes.lessons import Lessons
from spam_model.eyes.losses import EMBEDDING_WEIGHT, embedding_loss, relation_loss

_HELD_OUT = 10  # one image in so many
_BATCH = 128
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-2
_WARM_UP = 50  # steps


@dataclass(frozen=True)
class Schedule:
    """How long a head learns.

    Attributes:
        minutes: of training.
        steps: so many instead, however long they take.
        relation: weight of the cosines between people, beside TDT's distances to the teacher.
        bfloat16: compute in it; three times as fast on CPUs with AMX and on GPUs, slower elsewhere.
    """

    minutes: float = 5.0
    steps: int | None = None
    relation: float = 0.0
    bfloat16: bool = False


@dataclass(frozen=True)
class HeldOut:
    """On people of images that the head was not trained on.

    Attributes:
        cosine: to the teacher's embeddings, mean.
        auc: how well it tells the same person, in other colours of light and another size, from other people.
        teacher_auc: the same of the teacher.
    """

    cosine: float
    auc: float
    teacher_auc: float


@dataclass(frozen=True)
class Distilled:
    """A trained head in evaluation mode, on the CPU; ``losses`` of each step."""

    head: EmbeddingHead
    held_out: HeldOut
    losses: tuple[float, ...]


def distil(
    lessons: Lessons,
    start: EmbeddingHead,
    schedule: Schedule,
    seed: int,
    device: torch.device,
    *,
    progress: bool = False,
) -> Distilled:
    """Trains a head.

    Args:
        lessons: as ``make_lessons`` makes them, for a head of this shape.
        start: what to go on from; it is not changed.
        schedule: how long, and what for.
        seed: of the order of lessons.
        device: to train on.
        progress: show a bar.
    """
    rng = np.random.default_rng(seed)
    held_out = lessons.group % _HELD_OUT == 0
    rows = np.flatnonzero(~held_out)
    head = deepcopy(start).to(device).train()
    head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(head.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    losses: list[float] = []
    begun = time.monotonic()
    with tqdm(total=100, desc="distil", unit="%", disable=None if progress else True) as bar:
        while (done := _progress(schedule, len(losses), time.monotonic() - begun)) < 1:
            for group in optimizer.param_groups:
                warm = min(1.0, (len(losses) + 1) / _WARM_UP)
                group["lr"] = _LEARNING_RATE * warm * (1 + np.cos(np.pi * done)) / 2
            batch = rng.choice(rows, min(_BATCH, len(rows)), replace=False)
            samples = torch.from_numpy(lessons.samples[batch]).to(device)
            teacher = torch.from_numpy(lessons.teacher[batch].astype(np.float32)).to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=schedule.bfloat16):
                embedding = head.embed_samples(samples if schedule.bfloat16 else samples.float())
            loss = _loss(embedding.float(), teacher, schedule.relation)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            bar.update(int(100 * done) - bar.n)
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    head = head.cpu().eval()
    return Distilled(head, examine(head, lessons, np.flatnonzero(held_out)), tuple(losses))


def examine(head: EmbeddingHead, lessons: Lessons, rows: np.ndarray) -> HeldOut:
    """The figures of ``HeldOut`` on these lessons, [K] rows."""
    with torch.inference_mode():
        parts = [
            unit_length(head.embed_samples(torch.from_numpy(lessons.samples[part]).float()))
            for part in np.array_split(rows, max(1, len(rows) // _BATCH))
        ]
    embedding = torch.cat(parts).numpy()  # [K, D_s]
    teacher = lessons.teacher[rows].astype(np.float32)
    copied = teacher[:, : embedding.shape[1]]
    cosine = (embedding * copied).sum(axis=1) / np.maximum(np.linalg.norm(copied, axis=1), 1e-9)
    first, second = np.triu_indices(len(rows), 1)
    same = lessons.cutout[rows[first]] == lessons.cutout[rows[second]]
    other = lessons.group[rows[first]] != lessons.group[rows[second]]  # of one image: perhaps two boxes of one person
    counts = same | other
    figures = [
        area_under_curve((vectors @ vectors.T)[first, second][counts], same[counts]).auc
        for vectors in (embedding, teacher)
    ]
    return HeldOut(float(cosine.mean()), *figures)


def _loss(embedding: Tensor, teacher: Tensor, relation: float) -> Tensor:
    loss = EMBEDDING_WEIGHT * embedding_loss(embedding, teacher) / len(embedding)
    return loss + relation * relation_loss(embedding, teacher) if relation else loss


def _progress(schedule: Schedule, steps: int, seconds: float) -> float:
    """0 … 1."""
    if schedule.steps is not None:
        return steps / schedule.steps
    return seconds / (60 * schedule.minutes)

"""Small random worlds for the tests of the graph."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import torch
from hypothesis import strategies as st

from spam_model.graph.model import SpamModel
from spam_model.values import Anchor, Candidates, ClipInfo, Constraint, ConstraintKind, Constraints


def random_candidates(
    seed: int, people: int = 6, frames: int = 20, clutter: int = 15, classes: int = 1, size: int = 0
) -> Candidates:
    """People walking on straight lines, with misses and clutter between them."""
    rng = np.random.default_rng(seed)
    info = ClipInfo("random", frames, 25.0, 640, 480, tuple(f"class {k}" for k in range(classes)))
    frame = np.tile(np.arange(frames), people)
    start, speed = rng.uniform([50, 150], [600, 450], (people, 2)), rng.normal(0, 3, (people, 2))
    foot = (start[:, None] + speed[:, None] * np.arange(frames)[None, :, None]).reshape(-1, 2)
    foot = np.concatenate([foot + rng.normal(0, 0.5, foot.shape), rng.uniform([0, 100], [640, 480], (clutter, 2))])
    frame = np.concatenate([frame, rng.integers(0, frames, clutter)])
    height = np.concatenate([np.repeat(rng.uniform(60, 120, people), frames), rng.uniform(60, 120, clutter)])
    class_id = np.concatenate([np.repeat(rng.integers(0, classes, people), frames), rng.integers(0, classes, clutter)])
    here = rng.random(len(frame)) < 0.85
    frame, foot, height, class_id = frame[here], foot[here], height[here], class_id[here]
    half = np.stack([0.2 * height, np.zeros(len(height))], axis=1)
    box = np.concatenate([foot - half - np.stack([0 * height, height], axis=1), foot + half], axis=1)
    score = rng.uniform(0.2, 1.0, len(frame))
    embedding = rng.standard_normal((len(frame), size)).astype(np.float32)
    if size:
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    id = rng.permutation(10 * len(frame))[: len(frame)]
    return Candidates.build(info, frame, box, score, class_id=class_id, embedding=embedding, id=id)


def random_model(seed: int) -> SpamModel:
    """Untrained weights, large enough that decisions differ."""
    torch.manual_seed(seed)
    model = SpamModel()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
        model.association.classifier[-1].bias.fill_(float(torch.rand(())) - 0.2)
    return model.eval()


def anchor(candidates: Candidates, row: int) -> Anchor:
    x1, y1, x2, y2 = candidates.box[row].tolist()
    id, frame, class_id = (int(a[row]) for a in (candidates.id, candidates.frame, candidates.class_id))
    return Anchor(id, frame, (x1, y1, x2, y2), class_id)


def accept(candidates: Candidates, row: int) -> Constraint:
    return Constraint(ConstraintKind.ACCEPT, anchor(candidates, row))


def reject(candidates: Candidates, row: int) -> Constraint:
    return Constraint(ConstraintKind.REJECT, anchor(candidates, row))


def must_link(candidates: Candidates, a: int, b: int) -> Constraint:
    return Constraint(ConstraintKind.MUST_LINK, anchor(candidates, a), anchor(candidates, b))


def cannot_link(candidates: Candidates, a: int, b: int) -> Constraint:
    return Constraint(ConstraintKind.CANNOT_LINK, anchor(candidates, a), anchor(candidates, b))


@st.composite
def any_constraints(draw: st.DrawFn, candidates: Candidates) -> Constraints:
    """Answers of any kind about any candidates, contradictions included."""
    row = st.integers(0, len(candidates) - 1)
    pair = st.tuples(row, row)
    items = [accept(candidates, r) for r in draw(st.lists(row, max_size=8))]
    items += [reject(candidates, r) for r in draw(st.lists(row, max_size=8))]
    items += [must_link(candidates, *p) for p in draw(st.lists(pair, max_size=12))]
    items += [cannot_link(candidates, *p) for p in draw(st.lists(pair, max_size=12))]
    return Constraints(tuple(draw(st.permutations(items))))


@st.composite
def consistent_constraints(draw: st.DrawFn, candidates: Candidates) -> Constraints:
    """Answers of a person who knows: rows are dealt to a few objects, and all answers follow from that."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.permutation(len(candidates))[: draw(st.integers(2, len(candidates)))].tolist()
    objects: list[list[int]] = [[] for _ in range(draw(st.integers(2, 12)))]
    for row in rows:
        members = objects[rng.integers(len(objects))]
        frames = {int(candidates.frame[r]) for r in members}
        classes = {int(candidates.class_id[r]) for r in members}
        if int(candidates.frame[row]) not in frames and classes <= {int(candidates.class_id[row])}:
            members.append(row)
    share = draw(st.floats(0, 1))
    items = [must_link(candidates, a, b) for m in objects for a, b in pairwise(m) if rng.random() < share]
    for first, second in combinations([m for m in objects if m], 2):
        if rng.random() < share:
            items.append(cannot_link(candidates, int(rng.choice(first)), int(rng.choice(second))))
    known = {row for members in objects for row in members}
    for row in set(range(len(candidates))) - known:
        if rng.random() < 0.1:
            items.append((accept if rng.random() < 0.5 else reject)(candidates, row))
    return Constraints(tuple(draw(st.permutations(items))))

"""The odds of the questions: fitted on simulated clips, where an oracle says which answers change the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from spam_model.active.answers import changes_labels
from spam_model.active.odds import CONTINUATION, Odds
from spam_model.active.oracle import Oracle
from spam_model.active.questions import ReviewView, continuations
from spam_model.active.track_review import BUILDERS
from spam_model.evaluation.matching import match_to_truth
from spam_model.graph.model import SpamModel
from spam_model.labeler import Labeler
from spam_model.simulation import sample_config, simulate
from spam_model.values import Candidates, GroundTruth, LabelResult
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

RIDGE = 1.0
FEWEST_FRAMES, MOST_PEOPLE_FRAMES = 150, 3000
MOST_DRAFTS = 300  # of a topic and clip

Samples = dict[str, list[tuple[FloatArray, BoolArray]]]


def simulated_labels(model: SpamModel, seed: int, count: int) -> Iterator[tuple[LabelResult, Candidates, GroundTruth]]:
    """Zero-click labels of ``count`` simulated clips, half of them without appearance, long enough to have gaps."""
    labeler, rng = Labeler(model, model.device), np.random.default_rng(seed)
    for index in range(count):
        config = sample_config(rng)
        frames = np.clip(config.frame_count, FEWEST_FRAMES, max(FEWEST_FRAMES, MOST_PEOPLE_FRAMES / config.people))
        clip = simulate(replace(config, frame_count=int(frames)), seed=int(rng.integers(2**31)))
        candidates = clip.candidates
        if index % 2:
            candidates = replace(candidates, embedding=np.zeros((len(candidates), 0), np.float32))
        if len(candidates):
            yield labeler.label(candidates), candidates, clip.truth


def fit_odds(labelled: Iterable[tuple[LabelResult, Candidates, GroundTruth]]) -> Odds:
    """Logistic regressions over the drafts of all topics.

    Args:
        labelled: zero-click labels, the candidates that they are of, and the truth.

    Returns:
        Odds of the topics that there was a draft of.
    """
    samples: Samples = defaultdict(list)
    for result, candidates, truth in labelled:
        collect(samples, result, candidates, truth)
    seen = {topic: parts for topic, parts in samples.items() if any(len(features) for features, _ in parts)}
    return Odds({topic: regression(parts) for topic, parts in seen.items()})


def collect(samples: Samples, result: LabelResult, candidates: Candidates, truth: GroundTruth) -> None:
    view, oracle = ReviewView(result), Oracle(candidates, truth)
    rng = np.random.default_rng(0)
    for build in BUILDERS:
        drafts = list(build(view))
        if len(drafts) > MOST_DRAFTS:
            drafts = [drafts[index] for index in rng.choice(len(drafts), MOST_DRAFTS, replace=False)]
        rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        changed: dict[str, list[bool]] = defaultdict(list)
        for draft in drafts:
            query = draft.worded(0.0)
            answer = oracle.answer(query)
            rows[draft.topic].append(draft.features)
            changed[draft.topic].append(changes_labels(query, answer))
        for topic, features in rows.items():
            samples[topic].append((np.array(features), np.array(changed[topic])))
    found = continuations(view)
    identity, _ = match_to_truth(candidates, truth)
    samples[CONTINUATION].append((found.features, true_continuations(found.fragments, found.edge, identity)))


def true_continuations(fragments: list[IntArray], edge: IntArray, identity: IntArray) -> BoolArray:
    """[E]: the earliest later fragment of the same object, where most of both shows it."""
    of = np.array([_majority(identity[rows]) for rows in fragments])
    start = np.array([rows[0] for rows in fragments])
    same = np.flatnonzero((of[edge[0]] >= 0) & (of[edge[0]] == of[edge[1]]))
    result = np.zeros(edge.shape[1], bool)
    order = same[np.lexsort((start[edge[1, same]], edge[0, same]))]
    first = np.flatnonzero(np.diff(edge[0, order], prepend=-1))
    result[order[first]] = True
    return result


def _majority(identity: IntArray) -> int:
    objects = identity[identity >= 0]
    return int(np.bincount(objects).argmax()) if 2 * len(objects) >= len(identity) and len(objects) else -1


def regression(parts: list[tuple[FloatArray, BoolArray]]) -> FloatArray:
    """Logistic regression with a small ridge on standardised features. Returns [K + 1] for raw ones."""
    x = np.concatenate([features for features, _ in parts if len(features)])
    y = np.concatenate([target for features, target in parts if len(features)]).astype(np.float64)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
    z = np.concatenate([(x - mean) / scale, np.ones((len(x), 1))], axis=1)

    def loss(w: FloatArray) -> tuple[float, FloatArray]:
        logit = z @ w
        value = np.logaddexp(0.0, logit).mean() - (y * logit).mean() + RIDGE / len(x) * (w[:-1] @ w[:-1])
        gradient = z.T @ (expit(logit) - y) / len(x)
        gradient[:-1] += 2 * RIDGE / len(x) * w[:-1]
        return float(value), gradient

    w = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B").x
    return np.append(w[:-1] / scale, w[-1] - (w[:-1] * mean / scale).sum())

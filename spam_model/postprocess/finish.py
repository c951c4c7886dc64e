"""From the tracks of the hierarchy to labels: corrected boxes, short tracks dropped, boxes smoothed, gaps filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spam_model import geometry
from spam_model.motion import camera_path
from spam_model.postprocess.gaps import fill_gaps
from spam_model.postprocess.settings import PostprocessSettings
from spam_model.postprocess.smoothing import smooth
from spam_model.values import (
    Box,
    Candidates,
    ConstraintKind,
    Constraints,
    Hierarchy,
    Labels,
    Source,
    binary_entropy,
    node_ends,
)
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

DEFAULT_SETTINGS = PostprocessSettings()
STRONG_PERCENTILE = 90  # of the tracked candidates' scores
CORRECTED_WEIGHT = 4.0  # of a box that a person corrected, beside scores of at most 1
MIN_WEIGHT = 0.01
MIN_SIDE = 1.0  # px, of the part of a box inside the image


def finish(
    candidates: Candidates,
    hierarchy: Hierarchy,
    constraints: Constraints,
    settings: PostprocessSettings = DEFAULT_SETTINGS,
) -> Labels:
    """Labels of the tracks in ``hierarchy.track_of``, numbered 1 … T in the order of their first frame.

    A box that a person corrected is never moved, and a track that holds a candidate that a person accepted, corrected,
    linked or drew is never dropped. A box that lies outside the image is left out, unless a person vouches for it.

    Args:
        constraints: those in force (``ResolvedConstraints.in_force``), free of contradictions.
    """
    vouched, corrected = _answers(candidates, constraints)
    box = candidates.box.copy()
    box[list(corrected)] = np.array(list(corrected.values())).reshape(-1, 4)
    rows = _one_per_frame(candidates, hierarchy.track_of, vouched)
    rows = rows[_long_and_strong(candidates, hierarchy.track_of, rows, vouched, settings)]
    labels = Labels.build(
        candidates.info,
        hierarchy.track_of[rows],
        candidates.frame[rows],
        box[rows],
        class_id=candidates.class_id[rows],
        score=candidates.score[rows],
        candidate_id=candidates.id[rows],
        uncertainty=candidate_uncertainty(hierarchy)[rows],
    )
    path = camera_path(candidates) if settings.stabilise else np.zeros((candidates.info.frame_count, 2))
    fixed = np.isin(rows, list(corrected))
    labels = _smoothed(labels, path, fixed, settings.smoothing)
    confirmed = max(settings.max_gap, settings.max_confirmed_gap)
    longest = np.where(_confirmed_gaps(labels, constraints), confirmed, settings.max_gap)
    labels = fill_gaps(labels, path, longest)
    return _renumbered(_in_image(labels, candidates.id[vouched], settings.clip))


def candidate_uncertainty(hierarchy: Hierarchy) -> FloatArray:
    """Entropy in nats of the most uncertain decision that was taken at each candidate, [N].

    That is its own at the node level, and those of the links, at any level, that end or start in it: so it shows where
    in time a track is doubtful. (Which nodes to ask about is another matter: ``Level.node_uncertainty``.)
    """
    result = binary_entropy(hierarchy.node_probability)
    for level in hierarchy.levels:
        first, last = node_ends(level.node_of)
        past, future = level.edge[:, level.chosen]
        entropy = binary_entropy(level.probability[level.chosen])
        np.maximum.at(result, last[past], entropy)
        np.maximum.at(result, first[future], entropy)
    return result


def _answers(candidates: Candidates, constraints: Constraints) -> tuple[BoolArray, dict[int, Box]]:
    """Which candidates a person vouches for [N] (accepted, corrected, linked or drawn), and corrected boxes by row.

    Contradictions are settled before: there is one correction of a candidate at most.
    """
    vouched = candidates.source == Source.PERSON
    corrected: dict[int, Box] = {}
    for item in constraints.of_kind(ConstraintKind.ACCEPT, ConstraintKind.BOX, ConstraintKind.MUST_LINK):
        ids = [anchor.candidate_id for anchor in (item.first, item.second) if anchor is not None]
        rows = candidates.rows_of(np.array(ids, dtype=np.int64))
        rows = rows[rows >= 0]
        vouched[rows] = True
        if item.box is not None:
            corrected.update({int(row): item.box for row in rows})
    return vouched, corrected


def _one_per_frame(candidates: Candidates, track_of: IntArray, vouched: BoolArray) -> IntArray:
    """Rows in tracks, sorted by track, then frame; of two in one frame the one vouched for, then the stronger."""
    rows = np.flatnonzero(track_of >= 0)
    order = np.lexsort((-candidates.score[rows], ~vouched[rows], candidates.frame[rows], track_of[rows]))
    rows = np.asarray(rows[order])
    again = (np.diff(track_of[rows]) == 0) & (np.diff(candidates.frame[rows]) == 0)
    return np.asarray(rows[np.append(True, ~again)[: len(rows)]])


def _long_and_strong(
    candidates: Candidates, track_of: IntArray, rows: IntArray, vouched: BoolArray, settings: PostprocessSettings
) -> BoolArray:
    """Which ``rows`` belong to tracks that stay.

    A detector's scores are its own: strong is what is near the 90th percentile of this clip's tracked candidates. And
    no track is longer than the clip: of a clip of a few frames, tracks through half of them are long.
    """
    if len(rows) == 0:
        return np.zeros(0, bool)
    info = candidates.info
    _, track = np.unique(track_of[rows], return_inverse=True)
    best = np.zeros(track.max() + 1)
    np.maximum.at(best, track, candidates.score[rows])
    strong = settings.min_best_score * np.percentile(candidates.score[rows], STRONG_PERCENTILE)
    long = np.bincount(track) >= min(settings.min_duration * info.frame_rate, info.frame_count / 2) - 1e-9
    safe = np.bincount(track, weights=vouched[rows]) > 0
    stays = (long & (best >= strong)) | safe
    return np.asarray(stays[track])


def _smoothed(labels: Labels, path: FloatArray, fixed: BoolArray, sigma: float) -> Labels:
    """Smooths middles and sizes, the camera's ``path`` taken away; ``fixed`` rows stay."""
    if sigma == 0 or len(labels) == 0:
        return labels
    weight = np.where(fixed, CORRECTED_WEIGHT, np.maximum(labels.score, MIN_WEIGHT))
    shift = path[labels.frame]
    middle = smooth(labels, geometry.centres(labels.box) - shift, sigma, weight) + shift
    size = np.exp(smooth(labels, np.log(geometry.sizes(labels.box)), 2 * sigma, weight))
    box = geometry.from_centres(middle, size)
    return replace(labels, box=np.where(fixed[:, None], labels.box, box))


def _confirmed_gaps(labels: Labels, constraints: Constraints) -> BoolArray:
    """Whether a must-link joins a box at or before each box with one behind it, in its track. [M]."""
    row_of = {id: row for row, id in enumerate(labels.candidate_id.tolist())}
    crossed = np.zeros(len(labels) + 1, np.int64)  # +1 where a link starts, -1 where it ends
    for item in constraints.of_kind(ConstraintKind.MUST_LINK):
        ends = [row_of.get(anchor.candidate_id, -1) for anchor in (item.first, item.second) if anchor is not None]
        if min(ends) >= 0 and labels.track[ends[0]] == labels.track[ends[1]]:
            crossed[min(ends)] += 1
            crossed[max(ends)] -= 1
    return np.asarray(np.cumsum(crossed)[:-1] > 0)


def _in_image(labels: Labels, vouched: IntArray, clip: bool) -> Labels:
    """Without the boxes outside the image, but for those of the candidates ``vouched`` [K] for; the others cut."""
    inside = geometry.clip_to_image(labels.box, labels.info.width, labels.info.height)
    visible = geometry.sizes(inside).min(axis=1, initial=np.inf) >= MIN_SIDE
    cut = replace(labels, box=np.where(visible[:, None], inside, labels.box)) if clip else labels
    return cut.take(visible | np.isin(labels.candidate_id, vouched))


def _renumbered(labels: Labels) -> Labels:
    known, first, track = np.unique(labels.track, return_index=True, return_inverse=True)
    number = np.empty(len(known), np.int64)
    number[np.argsort(labels.frame[first], kind="stable")] = np.arange(1, len(known) + 1)
    return labels.take(np.arange(len(labels)), track=number[track])

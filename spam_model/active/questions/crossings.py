"""Where two tracks pass each other: the places at which identities are swapped.

A model that swaps two people at a crossing is often sure of every single link there, so edge entropy does not find the
swap (design: 30–45 % found by links, at least 76 % by crossings). A crossing is an episode of overlap; the question is
which object after it is the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions.outgoing import CONTEXT_BOXES
from spam_model.geometry import iou_matrix
from spam_model.values import Anchor, LabelResult, Labels, Query, QueryKind, binary_entropy
from spam_model.values.candidates import IntArray

MIN_OVERLAP = 0.15  # IoU from which two boxes may be mistaken for each other
SAME_EPISODE_SECONDS = 1.0
SWAP_AT_TOUCH, SWAP_AT_COVER = 0.03, 0.4  # P(swap) = 0.03 + 0.4 · overlap², counted on tune/


@dataclass(frozen=True)
class Crossing:
    """Two tracks of the labels that overlap from frame ``start`` to ``end``; ``overlap`` is the largest IoU."""

    tracks: tuple[int, int]
    start: int
    end: int
    overlap: float


def crossing_questions(result: LabelResult) -> Iterator[Query]:
    """One per crossing, about the track for which more is at stake: which of the two is it afterwards?"""
    row_of_label = result.candidates.rows_of(result.labels.candidate_id)  # [M], -1 for a filled gap
    for crossing in crossings(result.labels):
        parts = [_parts(result, row_of_label, track, crossing) for track in crossing.tracks]
        stakes = [min(len(before), len(after)) for before, after in parts]
        mine = int(np.argmax(stakes))
        if stakes[mine] == 0:
            continue
        subject, after = parts[mine]
        other = parts[1 - mine][1]
        probability = SWAP_AT_TOUCH + SWAP_AT_COVER * crossing.overlap**2
        yield Query(
            kind=QueryKind.ASSOCIATION,
            level=len(result.hierarchy.levels),
            subject=subject[-CONTEXT_BOXES:],
            options=tuple(option[:CONTEXT_BOXES] for option in (after, other) if option),
            uncertainty=float(binary_entropy(np.array([probability]))[0]),
            boxes_decided=stakes[mine],
            value=probability * stakes[mine],
        )


def _parts(
    result: LabelResult, row_of_label: IntArray, track: int, crossing: Crossing
) -> tuple[tuple[Anchor, ...], tuple[Anchor, ...]]:
    """A track's candidates before and after a crossing."""
    rows = row_of_label[result.labels.rows(track)]
    rows = rows[rows >= 0]
    frame = result.candidates.frame[rows]
    return (
        anchors_of(result.candidates, rows[frame < crossing.start]),
        anchors_of(result.candidates, rows[frame > crossing.end]),
    )


def crossings(labels: Labels) -> Iterator[Crossing]:
    """All crossings of tracks of one class, filled gaps included: a track often breaks while it is covered."""
    order = np.argsort(labels.frame, kind="stable")
    starts = np.searchsorted(labels.frame[order], np.arange(labels.info.frame_count + 1))
    first, second, frame, overlap = [], [], [], []
    for number, (low, high) in enumerate(pairwise(starts)):
        rows = order[low:high]
        iou = np.triu(iou_matrix(labels.box[rows], labels.box[rows]), k=1)
        iou[labels.class_id[rows][:, None] != labels.class_id[rows][None, :]] = 0
        i, j = np.nonzero(iou >= MIN_OVERLAP)
        pair = np.sort(np.stack([labels.track[rows[i]], labels.track[rows[j]]]), axis=0)
        first.append(pair[0])
        second.append(pair[1])
        frame.append(np.full(len(i), number))
        overlap.append(iou[i, j])
    table = np.stack([np.concatenate(column) for column in (first, second, frame)])  # [3, K]
    value = np.concatenate(overlap)
    order = np.lexsort(table[::-1])
    table, value = table[:, order], value[order]
    apart = SAME_EPISODE_SECONDS * labels.info.frame_rate
    same_pair = (np.diff(table[:2], axis=1) == 0).all(axis=0)
    breaks = np.flatnonzero(~same_pair | (np.diff(table[2]) > apart)) + 1
    for rows in np.split(np.arange(len(value)), breaks):
        if len(rows):
            yield Crossing(
                tracks=(int(table[0, rows[0]]), int(table[1, rows[0]])),
                start=int(table[2, rows[0]]),
                end=int(table[2, rows[-1]]),
                overlap=float(value[rows].max()),
            )

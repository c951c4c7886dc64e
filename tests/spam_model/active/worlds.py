"""Hand-made results for the tests of the questions: tracks of boxes, and one level over their tracklets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.postprocess import PostprocessSettings, finish
from spam_model.values import (
    Anchor,
    Box,
    Candidates,
    ClipInfo,
    Constraints,
    GroundTruth,
    Hierarchy,
    LabelResult,
    Level,
    Query,
    QueryKind,
    Topic,
)
from spam_model.values.candidates import FloatArray

INFO = ClipInfo("hand-made", frame_count=80, frame_rate=10.0, width=640, height=480, class_names=("person", "car"))
Seen = tuple[int, Box]
Tracklet = Sequence[Seen]
Link = tuple[int, int, float, bool]  # past tracklet, future tracklet, probability, chosen


def walk(frames: Sequence[int], start: tuple[float, float], step: tuple[float, float] = (0.0, 0.0)) -> list[Seen]:
    """A box of 20 × 50 px whose corner is at ``start`` in frame 0 and moves by ``step`` a frame."""
    corners = [(frame, start[0] + frame * step[0], start[1] + frame * step[1]) for frame in frames]
    return [(frame, (x, y, x + 20, y + 50)) for frame, x, y in corners]


def result_of(
    *tracks: Sequence[Tracklet],
    loose: Tracklet = (),
    links: Sequence[Link] = (),
    probability: float = 0.9,
    loose_probability: float = 0.2,
    score: float = 0.8,
    classes: Sequence[int] = (),
    max_gap: float = 0.0,
) -> LabelResult:
    """A result with these tracks, each made of tracklets; ``loose`` boxes are rejected.

    Tracklets are numbered through, from 0; ``links`` are the hypotheses of the one level. Ids of candidates are no
    rows. ``classes`` holds one class per track.
    """
    rows = [
        (frame, box, track, node, probability) for track, node, tracklet in _numbered(tracks) for frame, box in tracklet
    ]
    rows += [(frame, box, -1, -1, loose_probability) for frame, box in loose]
    rows.sort(key=lambda row: row[0])
    frame, box, track, node, valid = (
        np.array([row[i] for row in rows]).reshape(len(rows), *shape) for i, shape in enumerate([(), (4,), (), (), ()])
    )
    track, node = track.astype(np.int64), node.astype(np.int64)
    class_of = np.array([*(classes or [0] * len(tracks)), 0], np.int64)
    candidates = Candidates.build(
        INFO, frame, box, np.full(len(rows), score), class_id=class_of[track], id=1000 - 3 * np.arange(len(rows))
    )
    table = np.array([link[:2] for link in links], np.int64).reshape(-1, 2)
    level = Level(
        index=6,
        clip_length=64,
        node_of=node,
        edge=table.T,
        probability=np.array([link[2] for link in links]),
        chosen=np.array([link[3] for link in links], bool),
    )
    hierarchy = Hierarchy(valid.astype(np.float64), track >= 0, (level,), track)
    settings = PostprocessSettings(max_gap=max_gap, smoothing=0, min_duration=0, min_best_score=0)
    return LabelResult(candidates, hierarchy, finish(candidates, hierarchy, Constraints(), settings), (), ())


def with_probability(
    result: LabelResult, frames: Sequence[int], probability: float, tracked: bool = True
) -> LabelResult:
    """The same, but for the probability of the boxes of these frames that are in tracks (or in none)."""
    chosen = np.isin(result.candidates.frame, list(frames)) & ((result.hierarchy.track_of >= 0) == tracked)
    valid = np.where(chosen, probability, result.hierarchy.node_probability)
    return replace(result, hierarchy=replace(result.hierarchy, node_probability=valid))


def with_scores(result: LabelResult, scores: FloatArray) -> LabelResult:
    """The same, seen by a detector that scored the candidates like this. [N]."""
    return replace(result, candidates=replace(result.candidates, score=scores))


def unpushed(result: LabelResult) -> LabelResult:
    """The same with all tracks held back."""
    return replace(result, labels=result.labels.take(np.zeros(0, np.int64)))


def anchors_at(result: LabelResult, track: int, frames: Sequence[int]) -> tuple[Anchor, ...]:
    """The candidates of a track (-1: of none) in these frames."""
    return anchors_of(
        result.candidates,
        np.flatnonzero((result.hierarchy.track_of == track) & np.isin(result.candidates.frame, list(frames))),
    )


def frames_of(anchors: tuple[Anchor, ...]) -> list[int]:
    return [anchor.frame for anchor in anchors]


def tracks_of(result: LabelResult, anchors: tuple[Anchor, ...]) -> set[int]:
    """The tracks that these candidates are in; -1 for none."""
    rows = result.candidates.rows_of(np.array([anchor.candidate_id for anchor in anchors]))
    assert (rows >= 0).all()
    return set(result.hierarchy.track_of[rows].tolist())


def _numbered(tracks: Sequence[Sequence[Tracklet]]) -> list[tuple[int, int, Tracklet]]:
    pairs = [(track, tracklet) for track, tracklets in enumerate(tracks) for tracklet in tracklets]
    return [(track, node, tracklet) for node, (track, tracklet) in enumerate(pairs)]


def truth_of(*tracks: Tracklet, ignored: Sequence[int] = (), classes: Sequence[int] = ()) -> GroundTruth:
    """Ground truth with these tracks, numbered from 0; the numbers in ``ignored`` are distractors."""
    track = np.array([number for number, tracklet in enumerate(tracks) for _ in tracklet], np.int64)
    seen = [one for tracklet in tracks for one in tracklet]
    return GroundTruth(
        info=INFO,
        track=track,
        frame=np.array([frame for frame, _ in seen], np.int64),
        box=np.array([box for _, box in seen], float).reshape(-1, 4),
        class_id=np.array([*(classes or [0] * len(tracks)), 0], np.int64)[track],
        visibility=np.ones(len(track)),
        ignored=np.isin(track, ignored),
    )


def anchor(number: int, frame: int | None = None) -> Anchor:
    return Anchor(number, number if frame is None else frame, (1.0, 2.0, 30.0, 40.0), 0)


def anchors(*numbers: int) -> tuple[Anchor, ...]:
    return tuple(anchor(number) for number in numbers)


def detection(*numbers: int, level: int = 0, value: float = 1.0) -> Query:
    return Query(QueryKind.DETECTION, level, anchors(*numbers), value=value)


def association(subject: Sequence[int], *options: Sequence[int], value: float = 1.0) -> Query:
    return Query(
        QueryKind.ASSOCIATION, 3, anchors(*subject), tuple(anchors(*option) for option in options), value=value
    )


def localization(number: int, value: float = 1.0) -> Query:
    return Query(QueryKind.LOCALIZATION, 0, anchors(number), value=value)


def drawn(before: int, after: int, topic: Topic = Topic.PLACE, number: int = -5) -> Query:
    """Where is it between these two? The proposed box has a negative number."""
    start, end = anchors(before, after)
    middle = anchor(number, (before + after) // 2)
    return Query(QueryKind.LOCALIZATION, 0, (middle,), topic=topic, between=(start, end), value=1.0)

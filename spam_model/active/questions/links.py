"""Is it the same object after a gap inside a track?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from spam_model.active.anchors import anchors_of
from spam_model.active.questions import stakes
from spam_model.active.questions.draft import Draft
from spam_model.active.questions.outgoing import CONTEXT_BOXES, NodeMembers, OutgoingLinks, outgoing_links
from spam_model.active.questions.view import ReviewView, logit
from spam_model.values import OPTION_LETTERS, LabelResult, Query, QueryKind, Topic
from spam_model.values.candidates import IntArray

FEATURES = ("logit", "rival logit", "log gap", "log boxes before", "log boxes after")
GAP_FRAMES = 2  # links between neighbouring frames are crossings' business


def gap_drafts(view: ReviewView) -> Iterator[Draft]:
    """Chosen links that hold a track together over a gap."""
    result = view.result
    track_of, frame = result.hierarchy.track_of, result.candidates.frame
    for level in result.hierarchy.levels:
        members = NodeMembers(level)
        for links in outgoing_links(level):
            if links.chosen < 0:
                continue
            last = int(members[links.node][-1])
            following = int(members[int(links.future[links.chosen])][0])
            track = int(track_of[last])
            gap = int(frame[following] - frame[last])
            if track < 0 or gap < GAP_FRAMES or track_of[following] != track or not view.pushed[last]:
                continue
            rows = view.tracks[track]
            after = int((frame[rows] > frame[last]).sum())
            rival = np.delete(links.probability, links.chosen).max(initial=0.0)
            own = float(logit(links.probability[links.chosen : links.chosen + 1])[0])
            yield Draft(
                topic=Topic.GAP,
                features=(
                    own,
                    float(logit(np.array([rival]))[0]),
                    float(np.log(gap / view.scene.frame_rate)),
                    float(np.log(len(rows) - after)),
                    float(np.log(max(after, 1))),
                ),
                stake=stakes.parts(len(rows) - after, after),
                clicks=1,
                build=partial(_query, result, rows, after, _rivals(view, links, members, last)),
            )


def _rivals(view: ReviewView, links: OutgoingLinks, members: NodeMembers, last: int) -> list[IntArray]:
    """The other tracklets that the link might have led to; where their tracks were there before, it is a crossing."""
    frame, track_of = view.result.candidates.frame, view.result.hierarchy.track_of
    result = []
    for place, node in enumerate(links.future.tolist()):
        rows = members[node]
        tracks = {int(track) for track in track_of[rows] if track >= 0}
        if place != links.chosen and all(frame[view.tracks[track][0]] > frame[last] for track in tracks):
            result.append(rows)
    return result


def _query(result: LabelResult, rows: IntArray, after: int, rivals: list[IntArray]) -> Query:
    """``rows``: of the track, the last ``after`` of them behind the gap."""
    options = [rows[-after:], *rivals[: len(OPTION_LETTERS) - 1]]
    return Query(
        kind=QueryKind.ASSOCIATION,
        level=len(result.hierarchy.levels),
        subject=anchors_of(result.candidates, rows[:-after][-CONTEXT_BOXES:]),
        options=tuple(anchors_of(result.candidates, option[:CONTEXT_BOXES]) for option in options),
        boxes_decided=min(len(rows) - after, after),
        expected=OPTION_LETTERS[0],
    )

"""Which is the next occurrence of this object? Across gaps inside a track, and where tracks end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spam_model.active.questions.outgoing import NodeMembers, OutgoingLinks, association_query, outgoing_links
from spam_model.active.questions.tracks import rows_per_track
from spam_model.values import LabelResult, Query
from spam_model.values.candidates import IntArray

GAP_FRAMES = 2  # links between neighbouring frames are crossings' business


def link_questions(result: LabelResult) -> Iterator[Query]:
    """Links that hold a track together over a gap, and missing links where the final track really ends.

    A wrong link costs the shorter of the two parts that it joins. Links that are missing at a low level are mended
    above, so an end is asked about once, at the highest level that saw it.
    """
    track_of, frame = result.hierarchy.track_of, result.candidates.frame
    track_rows = rows_per_track(track_of)
    ends_asked: set[int] = set()
    for level in reversed(result.hierarchy.levels):
        members = NodeMembers(level)
        for links in outgoing_links(level):
            last = int(members[links.node][-1])
            track = int(track_of[last])
            if track < 0:
                continue
            rows = track_rows[track]
            if links.chosen >= 0:
                following = int(members[int(links.future[links.chosen])][0])
                if frame[following] - frame[last] < GAP_FRAMES or track_of[following] != track:
                    continue
                after = int((frame[rows] > frame[last]).sum())
                boxes = min(len(rows) - after, after)
            elif last == rows[-1] and last not in ends_asked:
                ends_asked.add(last)
                boxes = _boxes_joined(links, members, rows, track_of, track_rows)
            else:
                continue
            yield association_query(
                result.candidates,
                level,
                links,
                members,
                boxes_decided=boxes,
                value=links.error_probability * boxes,
            )


def _boxes_joined(
    links: OutgoingLinks,
    members: NodeMembers,
    rows: IntArray,
    track_of: IntArray,
    track_rows: Mapping[int, IntArray],
) -> int:
    """The shorter part that the likeliest missing link would join."""
    partner = int(track_of[members[int(links.future[0])][0]])
    return min(len(rows), len(track_rows[partner])) if partner >= 0 else 0

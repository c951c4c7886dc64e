"""People's answers, resolved to the rows of the candidates at hand, with contradictions set aside and reported.

Neither side of a contradiction is in force until a person settles it, so that the order of the answers never matters.

Answers outlive their candidates: where a detector was retrained, each is anchored to the box of the highest IoU in its
frame. A no takes more than a yes (``SAME_REJECTED_IOU``): what a person rejected is often the worse of two boxes around
one object, and the new detector may draw only the better one, close by. Measured on TUD-Campus (yolov4-tiny before and
after four retrainings; every candidate rejected that ground truth does not claim, 698 of score above 0.1): at an IoU of
0.5, 163 to 181 find a new candidate, and 83 to 99 of those are objects; at 0.9, 14 to 47, and 7 to 15. What overlaps no
object (544 of the 698) is mostly not found again by the new detector, so that little is lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spam_model.geometry import iou_matrix
from spam_model.values import Anchor, Box, Candidates, Constraint, ConstraintKind, Constraints, Source
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

SAME_BOX_IOU = 0.5
SAME_REJECTED_IOU = 0.9

Pair = tuple[int, int]


@dataclass(frozen=True)
class ResolvedConstraints:
    """What is in force, by candidate row.

    Attributes:
        box: [N, 4] px, people's corrections in place.
        fixed: [N] bool, valid by an accept, a corrected box or a must-link: in a track, whatever the network says.
        drawn: [N] bool, those of ``fixed`` whose box a person drew or confirmed.
        rejected: [N] bool.
        must: [M, 2] rows of one object.
        cannot: [C, 2] rows of different objects.
        conflicts: contradictions, in words, sorted.
        unmatched: constraints with an anchor that fits no candidate.
        in_force: the constraints above as such, anchored to the candidates at hand.
    """

    box: FloatArray
    fixed: BoolArray
    drawn: BoolArray
    rejected: BoolArray
    must: IntArray
    cannot: IntArray
    conflicts: tuple[str, ...]
    unmatched: tuple[Constraint, ...]
    in_force: Constraints


def resolve(candidates: Candidates, constraints: Constraints) -> ResolvedConstraints:
    """Anchors every constraint to a row, then sets contradictions aside.

    A box that was rejected together with its whole track, and is named as an object elsewhere, stays; that is reported.
    A contradiction is: a candidate accepted and rejected; two corrected boxes for one candidate; a link from a rejected
    candidate; a must-link between two classes; a chain of must-links that holds a cannot-link or two boxes of one
    frame (then the links on the paths between the two are set aside, the rest of the chain stays).
    """
    rows_of, unmatched = _anchor_all(candidates, constraints)
    conflicts: set[str] = set()

    corrections: dict[int, set[Box]] = defaultdict(set)
    accepted, plainly_accepted, rejected, singly_rejected = set[int](), set[int](), set[int](), set[int]()
    rejections = Counter(item.query_id for item in dict.fromkeys(constraints.of_kind(ConstraintKind.REJECT)))
    must, cannot = set[Pair](), set[Pair]()
    for item, rows in rows_of.items():
        match item.kind:
            case ConstraintKind.ACCEPT:
                accepted.add(rows[0])
                plainly_accepted.add(rows[0])
            case ConstraintKind.REJECT:
                rejected.add(rows[0])
                if rejections[item.query_id] == 1 or not item.query_id:
                    singly_rejected.add(rows[0])
            case ConstraintKind.BOX:
                accepted.add(rows[0])
                corrections[rows[0]].add(_box_of(item))
            case ConstraintKind.MUST_LINK:
                must.add((min(rows), max(rows)))
            case ConstraintKind.CANNOT_LINK:
                cannot.add((min(rows), max(rows)))

    def name(row: int) -> str:
        return f"candidate {candidates.id[row]} (frame {candidates.frame[row]})"

    named = accepted | corrections.keys() | {row for pair in must for row in pair}
    for row in sorted(named & rejected - singly_rejected):
        conflicts.add(f"{name(row)} was rejected with its whole track, but is named as an object: it stays")
        rejected.discard(row)

    for row in rejected & corrections.keys():  # a drawn box implies an accept only where nobody said no
        if row not in plainly_accepted:
            accepted.discard(row)
            del corrections[row]
    for row in accepted & rejected:
        conflicts.add(f"{name(row)} is both accepted and rejected")
    undecided = accepted & rejected
    accepted -= undecided
    rejected -= undecided

    for row in [row for row, boxes in corrections.items() if len(boxes) > 1]:
        conflicts.add(f"{name(row)} has {len(corrections[row])} different corrected boxes")
        del corrections[row]

    must = {pair for pair in must if pair[0] != pair[1]}
    for a, b in sorted(must):
        gone = [row for row in (a, b) if row in rejected]
        if gone:
            conflicts.add(f"{name(a)} and {name(b)} are linked, but {name(gone[0])} is rejected")
            must.discard((a, b))
        elif candidates.class_id[a] != candidates.class_id[b]:
            conflicts.add(f"{name(a)} and {name(b)} are linked, but are of different classes")
            must.discard((a, b))
    for a, b in sorted(cannot):
        if a == b:
            conflicts.add(f"{name(a)} is said to be a different object from itself")
            cannot.discard((a, b))

    aside = set[Pair]()
    chains = _Graph(must)
    for a, b in sorted(cannot | chains.pairs_within_a_frame(candidates.frame)):
        between = chains.links_between(a, b)
        if between:
            reason = "are said to differ" if (a, b) in cannot else "lie in one frame"
            conflicts.add(f"{name(a)} and {name(b)} {reason}, but {len(between)} must-link(s) join them")
            aside |= between | {(a, b)}
    must -= aside
    cannot -= aside

    box = candidates.box.copy()
    drawn = set[int]()
    for row, (corrected,) in corrections.items():
        if row in accepted:
            box[row] = corrected
            drawn.add(row)
    fixed = accepted | {row for pair in must for row in pair}
    result = ResolvedConstraints(
        box=box,
        fixed=_mask(len(candidates), fixed),
        drawn=_mask(len(candidates), drawn),
        rejected=_mask(len(candidates), rejected),
        must=np.array(sorted(must), np.int64).reshape(-1, 2),
        cannot=np.array(sorted(cannot), np.int64).reshape(-1, 2),
        conflicts=tuple(sorted(conflicts)),
        unmatched=unmatched,
        in_force=Constraints(),
    )
    return replace(result, in_force=_restated(candidates, result))


def with_drawn_boxes(candidates: Candidates, constraints: Constraints) -> Candidates:
    """The candidates and the boxes that people drew where there was none."""
    drawn: dict[int, Constraint] = {}
    for item in sorted(constraints.of_kind(ConstraintKind.BOX), key=repr):
        if item.first.is_drawn and 0 <= item.first.frame < candidates.info.frame_count:
            drawn.setdefault(item.first.candidate_id, item)
    new = [drawn[id] for id in sorted(drawn.keys() - set(candidates.id.tolist()))]
    if not new:
        return candidates
    anchors = [item.first for item in new]
    extended = Candidates.build(
        candidates.info,
        np.append(candidates.frame, [anchor.frame for anchor in anchors]),
        np.concatenate([candidates.box, [_box_of(item) for item in new]]),
        np.append(candidates.score, np.ones(len(new))),
        class_id=np.append(candidates.class_id, [anchor.class_id for anchor in anchors]),
        embedding=np.pad(candidates.embedding, ((0, len(new)), (0, 0))),
        source=np.append(candidates.source, [Source.PERSON] * len(new)),
        id=np.append(candidates.id, [anchor.candidate_id for anchor in anchors]),
    )
    return replace(extended, motion=candidates.motion, camera=candidates.camera)


def _anchor_all(
    candidates: Candidates, constraints: Constraints
) -> tuple[dict[Constraint, tuple[int, ...]], tuple[Constraint, ...]]:
    anchoring = _Anchoring(candidates, constraints)
    rows_of: dict[Constraint, tuple[int, ...]] = {}
    unmatched = []
    for item in dict.fromkeys(constraints.items):
        if item.kind is ConstraintKind.REJECT:
            rows: tuple[int, ...] = (anchoring.rejected_row(item.first),)
        else:
            rows = tuple(anchoring.row(anchor) for anchor in (item.first, item.second) if anchor is not None)
        if -1 in rows:
            unmatched.append(item)
        else:
            rows_of[item] = rows
    return rows_of, tuple(sorted(unmatched, key=repr))


class _Anchoring:
    """Finds the candidates at hand that answers are about."""

    def __init__(self, candidates: Candidates, constraints: Constraints) -> None:
        self._candidates = candidates
        self._row_of_id = {int(id): row for row, id in enumerate(candidates.id)}
        self._corrections: dict[int, list[tuple[Box, Box]]] = defaultdict(list)  # id -> boxes before and after
        self._objects: dict[tuple[int, int], list[Box]] = defaultdict(list)  # frame, class -> boxes people vouched for
        for item in constraints.of_kind(ConstraintKind.ACCEPT, ConstraintKind.BOX, ConstraintKind.MUST_LINK):
            for anchor in (item.first, item.second):
                if anchor is not None:
                    self._objects[anchor.frame, anchor.class_id].append(anchor.box)
            if item.box is not None:
                self._objects[item.first.frame, item.first.class_id].append(item.box)
                self._corrections[item.first.candidate_id].append((item.first.box, item.box))

    def row(self, anchor: Anchor) -> int:
        """The candidate of the highest IoU with the anchor in its frame, at least ``SAME_BOX_IOU``; else -1."""
        row, overlap = self._closest(anchor)
        return row if overlap >= SAME_BOX_IOU else -1

    def rejected_row(self, anchor: Anchor) -> int:
        """As ``row``, at ``SAME_REJECTED_IOU``; -1 too where the candidate fits better a box people vouched for."""
        row, overlap = self._closest(anchor)
        if overlap < SAME_REJECTED_IOU:
            return -1
        vouched = np.array(self._objects.get((anchor.frame, anchor.class_id), [])).reshape(-1, 4)
        better = iou_matrix(self._candidates.box[row : row + 1], vouched) > overlap
        return -1 if better.any() else row

    def _closest(self, anchor: Anchor) -> tuple[int, float]:
        """Row and IoU; of equal ones the candidate with the anchor's id. A drawn box is known by its id alone."""
        own = self._row_of_id.get(anchor.candidate_id, -1)
        if anchor.is_drawn:
            return own, float(own >= 0)
        begin, end = (int(row) for row in np.searchsorted(self._candidates.frame, [anchor.frame, anchor.frame + 1]))
        if begin == end:
            return -1, 0.0
        box = np.array([anchor.box], np.float64)
        overlap = iou_matrix(box, self._candidates.box[begin:end])[0]
        if begin <= own < end:
            overlap[own - begin] = iou_matrix(box, self._forms(own, anchor.candidate_id)).max()
        overlap[self._candidates.class_id[begin:end] != anchor.class_id] = 0.0
        best = int(np.argmax(overlap)) + begin
        if begin <= own < end and overlap[own - begin] == overlap[best - begin]:
            best = own
        return best, float(overlap[best - begin])

    def _forms(self, row: int, id: int) -> FloatArray:
        """[K, 4] the candidate's box and what people corrected it to: a later answer may be about one of these."""
        forms = [self._candidates.box[row]]
        left = list(self._corrections.get(id, []))
        while found := [pair for pair in left if _is_same(pair[0], forms)]:  # ids may have passed to other boxes
            forms += [np.array(after) for _, after in found]
            left = [pair for pair in left if pair not in found]
        return np.array(forms)


def _is_same(box: Box, forms: list[FloatArray]) -> bool:
    return bool(iou_matrix(np.array([box]), np.array(forms)).max() >= SAME_BOX_IOU)


class _Graph:
    """Candidates joined by must-links."""

    def __init__(self, links: set[Pair]) -> None:
        self._neighbours: dict[int, list[int]] = defaultdict(list)
        for a, b in sorted(links):
            self._neighbours[a].append(b)
            self._neighbours[b].append(a)

    def pairs_within_a_frame(self, frame: IntArray) -> set[Pair]:
        """Neighbouring pairs of rows that one chain places in one frame."""
        seen = dict[tuple[int, int], int]()
        pairs = set[Pair]()
        component = self._components()
        for row in sorted(component):
            key = (component[row], int(frame[row]))
            if key in seen:
                pairs.add((seen[key], row))
            seen[key] = row
        return pairs

    def links_between(self, a: int, b: int) -> set[Pair]:
        """Links that have to go until no path joins a and b: shortest paths, taken out one after another."""
        removed = set[Pair]()
        while path := self._path(a, b, removed):
            removed |= {(min(pair), max(pair)) for pair in pairwise(path)}
        return removed

    def _path(self, a: int, b: int, removed: set[Pair]) -> list[int]:
        before = {a: a}
        queue = deque([a])
        while queue and b not in before:
            row = queue.popleft()
            for other in self._neighbours.get(row, []):
                if other not in before and (min(row, other), max(row, other)) not in removed:
                    before[other] = row
                    queue.append(other)
        if b not in before:
            return []
        path = [b]
        while path[-1] != a:
            path.append(before[path[-1]])
        return path

    def _components(self) -> dict[int, int]:
        component: dict[int, int] = {}
        for start in sorted(self._neighbours):
            queue = [] if start in component else [start]
            while queue:
                row = queue.pop()
                component[row] = start
                queue += [other for other in self._neighbours[row] if other not in component]
        return component


def _box_of(item: Constraint) -> Box:
    if item.box is None:
        raise ValueError("a box constraint has a box")
    return item.box


def _mask(count: int, rows: set[int]) -> BoolArray:
    mask = np.zeros(count, bool)
    mask[sorted(rows)] = True
    return mask


def _restated(candidates: Candidates, resolved: ResolvedConstraints) -> Constraints:
    def anchor(row: int) -> Anchor:
        x1, y1, x2, y2 = (float(v) for v in resolved.box[row])
        id, frame, class_id = (int(a[row]) for a in (candidates.id, candidates.frame, candidates.class_id))
        return Anchor(id, frame, (x1, y1, x2, y2), class_id)

    plain = resolved.fixed & ~resolved.drawn
    items = [Constraint(ConstraintKind.ACCEPT, anchor(row)) for row in np.flatnonzero(plain).tolist()]
    items += [
        Constraint(ConstraintKind.BOX, anchor(row), box=anchor(row).box)
        for row in np.flatnonzero(resolved.drawn).tolist()
    ]
    items += [Constraint(ConstraintKind.REJECT, anchor(row)) for row in np.flatnonzero(resolved.rejected).tolist()]
    for kind, pairs in ((ConstraintKind.MUST_LINK, resolved.must), (ConstraintKind.CANNOT_LINK, resolved.cannot)):
        items += [Constraint(kind, anchor(a), anchor(b)) for a, b in pairs.tolist()]
    return Constraints(tuple(items))

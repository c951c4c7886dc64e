"""People's answers, put into force on the tracks of a run without answers: cut, join, associate again.

The hierarchy is not run anew under the answers. It was: one right answer then moved links that nobody had asked about,
and cost as much elsewhere as it gained (up to 0.8 HOTA each on MOT17-05). Here a track changes only where an answer
says so; the ends that come loose are offered to all levels of the hierarchy again, under all constraints.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from spam_model.graph.constraints import ResolvedConstraints
from spam_model.graph.hierarchy import level_clips, level_graphs, merge, one_box_per_frame, renumber
from spam_model.graph.identities import Identities
from spam_model.graph.matching import match
from spam_model.graph.model import SpamModel
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.values import Hierarchy, Level, node_ends
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

NEAR = 0.35  # heights (and log height) from the line through a gap within which an accepted box belongs to the track
JUMP_COST = 20.0  # of a step of one height, against the logit of a link
STRAY = 0.1  # of the shorter track: two that share fewer frames than that can be one
GAP_COST = 0.5  # per second between two boxes, beside their distance in heights


def settle(model: SpamModel, scene: Scene, base: Hierarchy, constraints: ResolvedConstraints) -> Hierarchy:
    """The hierarchy ``base`` of a run without answers, with ``constraints`` in force.

    Args:
        scene: of the candidates, the boxes that people drew or corrected included.
        base: its rows are those of ``scene``; drawn boxes are in no track.
    """
    identities = Identities(constraints, scene.frame)
    node_probability = np.where(constraints.fixed, 1.0, np.where(constraints.rejected, 0.0, base.node_probability))
    kept = (base.kept | constraints.fixed) & ~constraints.rejected
    levels = tuple(_answered(identities, level, constraints) for level in base.levels)
    track_of = np.where(constraints.rejected, -1, base.track_of)
    new = np.flatnonzero(constraints.fixed & (track_of < 0))
    track_of[new] = int(base.track_of.max(initial=-1)) + 1 + np.arange(len(new))
    pieces = _Pieces(scene, track_of, base.track_of < 0, identities, _logit(base.link_probability()))
    pieces.cut()
    piece_of = pieces.joined()
    open_head, open_tail = pieces.open_head.copy(), pieces.open_tail.copy()
    open_head[new] = open_tail[new] = True
    piece_of, again = _reassociate(model, scene, identities, piece_of, open_head, open_tail)
    track_of = renumber(one_box_per_frame(scene, piece_of, constraints.fixed))
    return Hierarchy(node_probability, kept, (*levels, *again), track_of)


def _answered(identities: Identities, level: Level, constraints: ResolvedConstraints) -> Level:
    """The level without what was rejected; probability 1 or 0 where the answers say so, the network's elsewhere."""
    representative, labelled = identities.representatives(level.node_of)
    must = np.zeros(level.edge.shape[1], bool)
    for index in np.flatnonzero(labelled[level.edge[0]] & labelled[level.edge[1]]):
        must[index] = identities.same(*representative[level.edge[:, index]].tolist())
    probability = identities.clamp(level.edge, must, level.probability, representative, labelled)
    node_of = np.where(constraints.rejected, -1, level.node_of)
    alive = np.zeros(len(representative), bool)
    alive[node_of[node_of >= 0]] = True
    stays, number = alive[level.edge].all(axis=0), np.cumsum(alive) - 1
    return replace(
        level,
        node_of=renumber(node_of),
        edge=number[level.edge[:, stays]],
        probability=probability[stays],
        chosen=level.chosen[stays],
    )


class _Pieces:
    """Tracks, cut where the answers need it. ``open_head`` and ``open_tail``: [N], rows at which a track was cut."""

    def __init__(
        self, scene: Scene, track_of: IntArray, new: BoolArray, identities: Identities, link: FloatArray
    ) -> None:
        self._scene = scene
        self._new = new
        self._track_of = track_of
        self._identities = identities
        self._link = link
        order = np.flatnonzero(track_of >= 0)
        self._order = order[np.argsort(track_of[order], kind="stable")]  # by track, then time
        self._sorted = track_of[self._order]
        self.open_head = np.zeros(len(scene), bool)
        self.open_tail = np.zeros(len(scene), bool)

    def rows(self, track: int) -> IntArray:
        first, last = np.searchsorted(self._sorted, [track, track + 1])
        return np.asarray(self._order[first:last])

    def cut(self) -> None:
        for group in self._identities.groups():
            tracked = [row for row in group if not self._new[row]]
            for before, after in pairwise(tracked):
                if self._track_of[before] != self._track_of[after]:
                    self._switch(before, after)
        labelled = self._identities.labelled_rows
        for track in np.unique(self._track_of[labelled]).tolist():
            if track >= 0:
                self._part(self.rows(track))

    def _switch(self, before: int, after: int) -> None:
        """An object that changes over from one track to another: both are cut where they are closest."""
        frame = self._scene.frame
        old, new = self.rows(int(self._track_of[before])), self.rows(int(self._track_of[after]))
        shared = np.isin(frame[old], frame[new]).sum()
        if shared <= STRAY * min(len(old), len(new)):
            return
        moment = np.arange(frame[before], frame[after])  # the last frame in the old track
        last_old = np.searchsorted(frame[old], moment, "right") - 1
        first_new = np.searchsorted(frame[new], moment, "right")
        cost = self._jump(old[last_old], new[first_new])
        best = int(np.argmin(cost))
        self._cut_after(old, int(last_old[best]))
        self._cut_after(new, int(first_new[best]) - 1)

    def _jump(self, past: IntArray, future: IntArray) -> FloatArray:
        step = self._scene.geometry[future] - self._scene.geometry[past]
        height = np.exp((self._scene.geometry[future, 2] + self._scene.geometry[past, 2]) / 2)
        seconds = (self._scene.frame[future] - self._scene.frame[past]) / self._scene.frame_rate
        return np.asarray(np.hypot(step[:, 0], step[:, 1]) / height + np.abs(step[:, 2]) + GAP_COST * seconds)

    def _cut_after(self, rows: IntArray, position: int) -> None:
        if 0 <= position < len(rows) - 1:
            self.open_tail[rows[position]] = True
            self.open_head[rows[position + 1]] = True

    def _part(self, rows: IntArray) -> None:
        """Cuts a track between any two of its boxes that are different objects, where it most likely changed over."""
        identities = self._identities
        known: list[int] = np.flatnonzero(identities.labelled[rows]).tolist()
        begin = 0
        for number, place in enumerate(known):
            rivals = [k for k in known[begin:number] if not identities.may_join(int(rows[k]), int(rows[place]))]
            if rivals and not self.open_tail[rows[rivals[-1] : place]].any():
                cut = self._weakest(rows, rivals[-1], place)
                self._cut_after(rows, cut)
                begin = next(n for n, k in enumerate(known) if k > cut)
        for first, last in pairwise(known):
            if not self.open_tail[rows[first:last]].any():
                if identities.may_join(int(rows[first]), int(rows[last])):
                    identities.unite(int(rows[first]), int(rows[last]))
                else:
                    self._cut_after(rows, self._weakest(rows, first, last))

    def _weakest(self, rows: IntArray, first: int, last: int) -> int:
        """Position in ``rows`` of the link between two positions at which the network and the motion are least sure."""
        links = np.arange(first, last)
        doubt = JUMP_COST * self._jump(rows[links], rows[links + 1]) - self._link[rows[links]]
        return int(links[np.argmax(doubt)])

    def joined(self) -> IntArray:
        """[N] piece of each candidate: the cut tracks, joined where people said so. -1 stays."""
        piece_of: IntArray = np.full(len(self._scene), -1, np.int64)
        starts = self.open_head[self._order] | (np.diff(self._sorted, prepend=-1) != 0)
        piece_of[self._order] = np.cumsum(starts) - 1
        self._adopt(piece_of)
        piece_of = renumber(piece_of)
        representative, labelled = self._identities.representatives(piece_of)
        number = np.arange(len(representative))
        first: dict[int, int] = {}
        for piece in np.flatnonzero(labelled).tolist():
            root = self._identities.find(int(representative[piece]))
            number[piece] = first.setdefault(root, piece)
        return np.where(piece_of >= 0, number[piece_of] if len(number) else -1, -1)

    def _adopt(self, piece_of: IntArray) -> None:
        """Accepted boxes that lie in a gap of a track, close to the line through it, are taken to be of the track.

        Unless people said of which one they are.
        """
        scene, identities = self._scene, self._identities
        representative, _ = identities.representatives(piece_of)
        lone = identities.lone_rows(piece_of)
        others = np.setdiff1d(identities.labelled_rows, lone)
        known = {identities.find(row) for row in others[piece_of[others] >= 0].tolist()}
        for row in lone:
            before, after = self._around(piece_of, row)
            if identities.find(row) in known or len(before) == 0:
                continue
            share = ((scene.frame[row] - scene.frame[before]) / (scene.frame[after] - scene.frame[before]))[:, None]
            line = (1 - share) * scene.geometry[before] + share * scene.geometry[after]
            off = np.abs(line - scene.geometry[row])
            distance = np.maximum(np.hypot(off[:, 0], off[:, 1]) / np.exp(scene.geometry[row, 2]), off[:, 2])
            distance[scene.class_id[before] != scene.class_id[row]] = np.inf
            nearest = int(np.argmin(distance))
            piece = int(piece_of[before[nearest]])
            if distance[nearest] <= NEAR and identities.may_join(row, int(representative[piece])):
                identities.unite(row, int(representative[piece]))
                identities.label(int(representative[piece]))
                known.add(identities.find(row))
                piece_of[row] = piece

    def _around(self, piece_of: IntArray, row: int) -> tuple[IntArray, IntArray]:
        """Rows of the pieces that have a gap at the frame of ``row``: the ones before it and after it. [G], [G]."""
        frame = self._scene.frame
        past, future = self._order[:-1], self._order[1:]
        gap = (piece_of[past] == piece_of[future]) & (frame[past] < frame[row]) & (frame[future] > frame[row])
        return past[gap], future[gap]


def _reassociate(
    model: SpamModel,
    scene: Scene,
    identities: Identities,
    piece_of: IntArray,
    open_head: BoolArray,
    open_tail: BoolArray,
) -> tuple[IntArray, tuple[Level, ...]]:
    """All levels once more, for links from or to a loose end only: the pieces then, and levels that chose a link."""
    node_of, levels = renumber(piece_of), []
    if open_head.any() or open_tail.any():
        with torch.inference_mode():
            for index, clip_length in enumerate(level_clips(scene.frame_count), start=1):
                level = _level(model, scene, identities, node_of, index, clip_length, open_head, open_tail)
                if level.chosen.any():
                    levels.append(level)
                    node_of = renumber(merge(node_of, level.edge[:, level.chosen]))
    return node_of, tuple(levels)


def _level(
    model: SpamModel,
    scene: Scene,
    identities: Identities,
    node_of: IntArray,
    index: int,
    clip_length: int,
    open_head: BoolArray,
    open_tail: BoolArray,
) -> Level:
    first, last = node_ends(node_of)
    inside = np.flatnonzero(scene.frame[first] // clip_length == scene.frame[last] // clip_length)
    place = np.full(len(first), -1)
    place[inside] = np.arange(len(inside))
    nodes = build_tracklets(scene, np.where(node_of >= 0, place[node_of], -1))
    edges, probabilities = [np.zeros((2, 0), np.int64)], [np.zeros(0)]
    for graph in level_graphs(scene, nodes, clip_length):
        edge = inside[graph.nodes[graph.edge]]
        loose = open_tail[last[edge[0]]] | open_head[first[edge[1]]]
        if loose.any():
            logits = model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, index, graph.motion)
            edges.append(edge[:, loose])
            probabilities.append(model.calibrate(logits[-1], index)[loose])
    edge = np.concatenate(edges, axis=1)
    probability: FloatArray = np.concatenate(probabilities)
    representative, labelled = identities.representatives(node_of)
    none = np.zeros(edge.shape[1], bool)
    probability = identities.clamp(edge, none, probability, representative, labelled)
    chosen = identities.join(edge, match(edge, probability), none, probability, representative, labelled)
    return Level(index, clip_length, node_of, edge, probability, chosen)


def _logit(probability: FloatArray) -> FloatArray:
    p = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(p / (1 - p)))

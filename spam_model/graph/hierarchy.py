"""One run of the hierarchy: the node level, then associations over clips of 2, 4, 8 … frames until a clip is the video.

Above clips of 512 frames the clips go on doubling, but no gap may be longer than 512 frames. So a video of any length
is one hierarchy and no windows need stitching. Since clips share no edge, a level is computed window by window, which
bounds the memory and occupies all cores.

Which node each candidate belongs to is ``node_of`` [N] int64, -1 for none. Nodes are numbered 0 … V - 1 in the order of
their first frames, so the nodes of a window have consecutive numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from tqdm import tqdm

from spam_model.graph.features import edge_features, motion_features, node_features
from spam_model.graph.gating import LevelRule, propose_edges
from spam_model.graph.matching import match
from spam_model.graph.model import SpamModel
from spam_model.graph.node_level import node_graph
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, Tracklets, build_tracklets
from spam_model.values import Candidates, Hierarchy, Level
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

WINDOW = 512  # frames: the longest gap, and the most that the node level sees at a time
NODE_CANDIDATES = 32_000  # the node level sees fewer frames at a time than that where these are more
CANDIDATES = 8_000  # in a window of an association level, or one clip where it has more
LONE_BOX_CLIP = 32  # from clips of this length on, a tracklet of one box is noise
OVERLAP_CLIP = 16  # from clips of this length on, false tails may overlap
OVERLAP_SECONDS = 0.3


@dataclass(frozen=True)
class LevelGraph:
    """The hypotheses of one window of a level: features [V, F_v], [E, F_e] and edges [2, E] between ``nodes``.

    ``nodes``: [V] number of each node in the level. ``motion``: [E, F_m], None where no motion model was asked.
    """

    nodes: IntArray
    node_feature: FloatArray
    edge_feature: FloatArray
    edge: IntArray
    motion: FloatArray | None


@dataclass(frozen=True)
class _Scores:
    """``edge`` [2, E] between the nodes of a window, numbered from 0; ``probability`` [E]."""

    edge: IntArray
    probability: FloatArray


def run_hierarchy(
    model: SpamModel, candidates: Candidates, scene: Scene | None = None, progress: bool = False
) -> Hierarchy:
    """All levels, before anybody has answered. Deterministic.

    Args:
        scene: of the candidates, where it is known.
    """
    scene = scene or Scene.of(candidates)
    clip_lengths = level_clips(candidates.info.frame_count)
    bar = tqdm(total=1 + len(clip_lengths), desc="levels", disable=not progress, leave=False)
    with _workers() as workers, bar:
        node_level = [
            (rows, workers.submit(_node_probability, model, scene.take(rows), candidates.box[rows]))
            for _, rows in windows(scene, min(frames_that_hold(NODE_CANDIDATES, scene), WINDOW))
        ]
        # Where the scores alone decide what is kept, the levels above need not wait for the node level.
        known = _gathered(node_level, len(scene)) if model.decision.learned else np.zeros(len(scene))
        kept = _kept(model, scene, known)
        node_of = renumber(np.where(kept, np.arange(len(candidates)), -1))
        levels = []
        for index, clip_length in enumerate(clip_lengths, start=1):
            node_of = drop_lone_boxes(node_of, clip_length)
            level = _associate(model, workers, scene, node_of, index, clip_length)
            node_of = one_box_per_frame(scene, merge(node_of, level.edge[:, level.chosen]))
            levels.append(level)
            bar.update()
        node_probability = _gathered(node_level, len(scene))
        bar.update()
    return Hierarchy(node_probability, kept, tuple(levels), node_of)


def level_clips(frame_count: int) -> list[int]:
    """Clip lengths of the levels: 2, 4, 8 … frames, the last covers the video; none for a single frame."""
    return [2**level for level in range(1, max(frame_count - 1, 0).bit_length() + 1)]


def level_rule(scene: Scene, clip_length: int) -> LevelRule:
    overlap = round(OVERLAP_SECONDS * scene.frame_rate) if clip_length >= OVERLAP_CLIP else 0
    return LevelRule(clip_length, min(clip_length, WINDOW), overlap)


def level_graphs(scene: Scene, nodes: Tracklets, clip_length: int) -> Iterator[LevelGraph]:
    """The graphs of a level, one for each window that has an edge."""
    window = nodes.frame[:, HEAD] // max(WINDOW, clip_length)
    for current in np.unique(window):
        rows = np.flatnonzero(window == current)
        graph = _level_graph(scene, nodes.take(rows), clip_length)
        if graph.edge.shape[1]:
            yield replace(graph, nodes=rows)


def frames_that_hold(candidates: float, scene: Scene) -> int:
    """How many frames have this many candidates on average: a power of two, as clips have."""
    frames = candidates * scene.frame_count / max(len(scene), 1)
    return int(2 ** np.floor(np.log2(max(frames, 1.0))))


def windows(scene: Scene, length: int) -> Iterator[tuple[slice, slice]]:
    """Frames and rows of each ``length`` frames that hold a candidate."""
    firsts = np.arange(0, scene.frame_count, length)
    bounds = np.append(np.searchsorted(scene.frame, firsts), len(scene)).tolist()
    for first, (begin, end) in zip(firsts.tolist(), pairwise(bounds), strict=True):
        if begin < end:
            yield slice(first, first + length), slice(begin, end)


def drop_lone_boxes(node_of: IntArray, clip_length: int) -> IntArray:
    """Tracklets of one box leave from clips of 32 frames on; numbers close up."""
    if clip_length < LONE_BOX_CLIP:
        return node_of
    length = np.bincount(node_of[node_of >= 0], minlength=1)
    lone = (node_of >= 0) & (length[node_of] == 1)
    return renumber(np.where(lone, -1, node_of))


def merge(node_of: IntArray, chosen: IntArray) -> IntArray:
    """Chains of chosen edges become one node, numbered by its earliest member. [N], [2, C] -> [N]."""
    count = int(node_of.max(initial=-1)) + 1
    successor = np.arange(count)
    successor[chosen[1]] = chosen[0]  # each future node points back
    while not np.array_equal(successor, successor[successor]):
        successor = successor[successor]
    return np.where(node_of >= 0, successor[node_of] if count else -1, -1)


def one_box_per_frame(scene: Scene, node_of: IntArray, fixed: BoolArray | None = None) -> IntArray:
    """Where a node has two boxes in a frame, the one that people vouch for stays, else the surer; numbers close up."""
    rows = np.flatnonzero(node_of >= 0)
    cell = node_of[rows] * scene.frame_count + scene.frame[rows]
    ordered = np.sort(cell)
    rows = rows[np.isin(cell, ordered[1:][np.diff(ordered) == 0])]  # few, if any
    loose = ~fixed[rows] if fixed is not None else np.zeros(len(rows), bool)
    order = rows[np.lexsort((rows, -scene.score[rows], loose, scene.frame[rows], node_of[rows]))]
    again = np.zeros(len(order), bool)
    again[1:] = (np.diff(node_of[order]) == 0) & (np.diff(scene.frame[order]) == 0)
    result = node_of.copy()
    result[order[again]] = -1
    return renumber(result)


def renumber(node_of: IntArray) -> IntArray:
    """Numbers 0 … V - 1 in the order of the old ones; -1 stays. [N] -> [N]."""
    taken = np.zeros(int(node_of.max(initial=-1)) + 2, bool)
    taken[node_of] = True
    taken[-1] = False  # the place of -1
    number = np.cumsum(taken) - 1
    number[-1] = -1
    return np.asarray(number[node_of])


def spans(frame: IntArray, node_of: IntArray) -> IntArray:
    """First and last frame of each node, [V, 2]; candidates are sorted by frame."""
    rows = np.flatnonzero(node_of >= 0)
    span = np.zeros((int(node_of.max(initial=-1)) + 1, 2), np.int64)
    span[node_of[rows[::-1]], 0] = frame[rows[::-1]]  # of several values for one place the last one stays
    span[node_of[rows], 1] = frame[rows]
    return span


def _kept(model: SpamModel, scene: Scene, probability: FloatArray) -> BoolArray:
    """Which candidates enter the association, decided class by class: a detector's scores differ between them. [N]."""
    kept = np.zeros(len(scene), bool)
    for class_id in np.unique(scene.class_id):
        rows = np.flatnonzero(scene.class_id == class_id)
        kept[rows] = model.decision.keeps(scene.score[rows], probability[rows])
    return kept


@torch.inference_mode()
def _node_probability(model: SpamModel, scene: Scene, box: FloatArray) -> FloatArray:
    """Calibrated probability that a candidate of a window is valid. [N]."""
    edge, node_feature, edge_feature = node_graph(scene, build_tracklets(scene, np.arange(len(scene))), box)
    return model.calibrate(model.node_logits(node_feature, edge_feature, edge)[-1], 0)


def _associate(
    model: SpamModel,
    workers: Executor,
    scene: Scene,
    node_of: IntArray,
    index: int,
    clip_length: int,
) -> Level:
    """One level: hypotheses, probabilities, matching."""
    frame = spans(scene.frame, node_of)
    tasks: list[tuple[int, Future[_Scores]]] = []
    for frames, rows in windows(scene, max(frames_that_hold(CANDIDATES, scene), clip_length)):
        base = int(np.searchsorted(frame[:, HEAD], frames.start))  # the first node of the window
        own = np.where(node_of[rows] >= 0, node_of[rows] - base, -1)
        tasks.append((base, workers.submit(_scores, model, scene.take(rows), own, index, clip_length)))
    found = [(base, task.result()) for base, task in tasks]
    edge = np.concatenate([np.zeros((2, 0), np.int64), *(base + scores.edge for base, scores in found)], axis=1)
    probability = np.concatenate([np.zeros(0), *(scores.probability for _, scores in found)])
    return Level(index, clip_length, node_of, edge, probability, match(edge, probability))


@torch.inference_mode()
def _scores(model: SpamModel, scene: Scene, node_of: IntArray, index: int, clip_length: int) -> _Scores:
    """The hypotheses of a window of a level."""
    graph = _level_graph(scene, build_tracklets(scene, node_of), clip_length)
    if graph.edge.shape[1] == 0:
        return _Scores(graph.edge, np.zeros(0))
    logits = model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, index, graph.motion)
    return _Scores(graph.edge, model.calibrate(logits[-1], index))


def _level_graph(scene: Scene, nodes: Tracklets, clip_length: int) -> LevelGraph:
    """The graph of whole clips."""
    edge = propose_edges(scene, nodes, level_rule(scene, clip_length))
    return LevelGraph(
        nodes=np.arange(len(nodes)),
        node_feature=node_features(scene, nodes, clip_length),
        edge_feature=edge_features(scene, nodes, edge),
        edge=edge,
        motion=motion_features(scene, nodes, edge),
    )


def _gathered(parts: list[tuple[slice, Future[FloatArray]]], count: int) -> FloatArray:
    result = np.zeros(count)
    for rows, part in parts:
        result[rows] = part.result()
    return result


@contextmanager
def _workers() -> Iterator[Executor]:
    """As many threads as torch may use, each with one of torch's: windows side by side, rather than each in pieces."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as workers:
        torch.set_num_threads(1)
        try:
            yield workers
        finally:
            torch.set_num_threads(threads)

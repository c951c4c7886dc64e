"""The graph against references that compute the same: in plain loops, with all pairs, with PyTorch Geometric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from spam_model.graph.hierarchy import level_graphs, run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.scene import Scene
from spam_model.graph.states import HEAD, build_tracklets
from spam_model.values import Candidates, Hierarchy
from tests.bench import all_pairs, clips, pyg
from tests.bench.ratio import Ratio, both_seconds, seconds
from tests.spam_model.graph.reference import label_plainly

PLAIN_FRAMES = 24
VECTORISED_FRAMES = 200
PYG_CLIPS = (2, 16, 64)  # frames
LIMIT = 1e-5


def run(model: SpamModel, candidates: Candidates) -> Hierarchy:
    return run_hierarchy(model, candidates)


def against_plain() -> list[Ratio]:
    """Plain Python: all pairs, one graph at a time. Equal to 1e-5, or this fails."""
    model = SpamModel.load(SHIPPED_WEIGHTS)
    candidates = first_frames(clips.street(PLAIN_FRAMES), PLAIN_FRAMES, every=4)
    fast, plain = run(model, candidates), label_plainly(model, candidates)
    assert fast.track_of.tolist() == plain.track_of
    for level, other in zip(fast.levels, plain.levels, strict=True):
        expected = [other.probability[i, j] for i, j in level.edge.T.tolist()]
        assert np.allclose(level.probability, expected, rtol=0, atol=LIMIT)
    what = f"hierarchy, {clips.per_frame(candidates)} candidates a frame"
    return [
        Ratio(
            what,
            "plain loops over all pairs",
            "frames/s",
            PLAIN_FRAMES / seconds(lambda: run(model, candidates)),
            PLAIN_FRAMES / seconds(lambda: label_plainly(model, candidates), 1),
        )
    ]


def against_all_pairs() -> list[Ratio]:
    """numpy matrices of all pairs with the same gates; the rest is shared. The same tracks, or this fails."""
    model = SpamModel.load(SHIPPED_WEIGHTS)
    candidates = clips.street(VECTORISED_FRAMES)
    with all_pairs.in_force():
        expected = run(model, candidates)
        slow = seconds(lambda: run(model, candidates), 1)
    assert np.array_equal(run(model, candidates).track_of, expected.track_of)
    what = f"hierarchy, {clips.per_frame(candidates)} candidates a frame"
    fast = seconds(lambda: run(model, candidates), 2)
    return [Ratio(what, "numpy, all pairs then gates", "frames/s", VECTORISED_FRAMES / fast, VECTORISED_FRAMES / slow)]


def against_pyg() -> list[Ratio]:
    """The network of one level: ``index_add`` over one disjoint graph against ``MessagePassing`` over a ``Batch``."""
    model = SpamModel.load(SHIPPED_WEIGHTS)
    candidates = clips.street(VECTORISED_FRAMES)
    scene, result = Scene.of(candidates), run(model, candidates)
    theirs = pyg.PygAssociation(model).eval()
    ratios = []
    for level in result.levels:
        if level.clip_length not in PYG_CLIPS:
            continue
        nodes = build_tracklets(scene, level.node_of)
        (graph,) = level_graphs(scene, nodes, level.clip_length)
        parts, place = pyg.clips_of(graph, nodes.frame[graph.nodes, HEAD] // level.clip_length)
        ratios.append(_network_ratio(model, theirs, graph, parts, place, level.index, level.clip_length))
    return ratios


def _network_ratio(model, theirs, graph, parts, place, level: int, clip_length: int) -> Ratio:  # type: ignore[no-untyped-def]
    def ours() -> np.ndarray:
        return model.edge_logits(graph.node_feature, graph.edge_feature, graph.edge, level)[-1].numpy()

    def pyg_way() -> np.ndarray:
        return theirs(pyg.batched(parts), level).numpy()

    with torch.inference_mode():
        assert np.allclose(_sigmoid(ours()[place]), _sigmoid(pyg_way()), rtol=0, atol=LIMIT)
        edges = graph.edge.shape[1] / 1e3
        what = f"network, {len(parts)} clips of {clip_length} frames"
        mine, other = both_seconds(ours, pyg_way, 20)
        return Ratio(what, "PyG MessagePassing, Batch", "10³ edges/s", edges / mine, edges / other)


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logit.astype(np.float64), -50, 50)))


def first_frames(candidates: Candidates, frames: int, every: int = 1) -> Candidates:
    """The clip cut to its first frames, of which every k-th candidate stays."""
    rows = np.flatnonzero(candidates.frame < frames)[::every]
    return replace(candidates.take(rows), info=replace(candidates.info, frame_count=frames))

"""What a run decided and what is true of it, level by level: material for calibration and for the node level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spam_model.evaluation.calibration import Decisions
from spam_model.evaluation.matching import IGNORED
from spam_model.graph.hierarchy import LONE_BOX_CLIP
from spam_model.graph.scene import Scene
from spam_model.graph.states import build_tracklets
from spam_model.simulation import sample_config, simulate
from spam_model.training.targets import edge_targets, tracklet_identities
from spam_model.values import Candidates, Hierarchy
from spam_model.values.candidates import IntArray

_HELD_OUT = 20_231_107  # first word of the seeds; training draws from seeds of one word
_MOST_CANDIDATES = 4000


def decisions_of(candidates: Candidates, hierarchy: Hierarchy, identity: IntArray) -> dict[int, Decisions]:
    """Probability and truth of every decision of a run without constraints; 0 is the node level.

    True of a candidate: it shows an object. True of an edge: one identity, and nearest in time among the edges of that
    identity, as in training. Left out is what training gives less than full weight (from clips of 32 frames on, edges
    between two false positives) and what touches a distractor, which is neither right nor wrong.

    Args:
        identity: [N] of each candidate, ``NO_OBJECT`` or ``IGNORED``.
    """
    counts = identity != IGNORED
    result: dict[int, Decisions] = {0: (hierarchy.node_probability[counts], identity[counts] >= 0)}
    scene = Scene.of(candidates)
    for level in hierarchy.levels:
        nodes = build_tracklets(scene, level.node_of)
        object_of = tracklet_identities(level.node_of, identity)
        distractor = tracklet_identities(level.node_of, np.where(identity == IGNORED, 0, -1)) >= 0
        target = edge_targets(nodes, object_of, level.edge)
        kept = ~distractor[level.edge].any(axis=0)
        if level.clip_length >= LONE_BOX_CLIP:
            kept &= (object_of[level.edge] >= 0).any(axis=0)
        result[level.index] = (level.probability[kept], target[kept])
    return result


def joined(parts: list[dict[int, Decisions]]) -> dict[int, Decisions]:
    """The decisions of several runs, level by level."""
    levels = sorted({level for part in parts for level in part})
    return {
        level: (
            np.concatenate([part[level][0] for part in parts if level in part]),
            np.concatenate([part[level][1] for part in parts if level in part]),
        )
        for level in levels
    }


def held_out_clip(number: int) -> tuple[Candidates, IntArray]:
    """A random simulated clip that no training drew, and the identity [N] of each candidate; always the same.

    Every other clip has no appearance, as clips without pixels have none.
    """
    rng = np.random.default_rng([_HELD_OUT, number])
    config = sample_config(rng)
    longest = max(16, int(_MOST_CANDIDATES / (2 * config.people)))
    clip = simulate(replace(config, frame_count=min(config.frame_count, longest)), int(rng.integers(2**31)))
    candidates = clip.candidates
    if number % 2:
        candidates = replace(candidates, embedding=np.zeros((len(candidates), 0), np.float32))
    return candidates, clip.identity

"""One simulated clip: people on a plane, a camera, a detector; the truth is known, no label is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spam_model import geometry
from spam_model.simulation import clutter, detector
from spam_model.simulation.appearance import embed
from spam_model.simulation.camera import Camera
from spam_model.simulation.config import SimulationConfig
from spam_model.simulation.following import Objects, follow
from spam_model.simulation.occlusion import Sight, look
from spam_model.simulation.proposals import Proposals, reported
from spam_model.simulation.walkers import Walkers, walk
from spam_model.values import Candidates, ClipInfo, GroundTruth
from spam_model.values.candidates import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SimulatedClip:
    """Candidates and what is true of them.

    Attributes:
        candidates: N boxes with embeddings [N, D].
        identity: [N] int64, the truth track whose valid box a candidate is, -1 = false positive.
        truth: every person in view, hidden or not.
        camera_path: [F, 2] px, 0 at frame 0: how far a point far ahead of the camera has moved in the image.
    """

    candidates: Candidates
    identity: IntArray
    truth: GroundTruth
    camera_path: FloatArray


def simulate(config: SimulationConfig, seed: int) -> SimulatedClip:
    """The clip of this config and seed, always the same."""
    rng = np.random.default_rng(seed)
    camera = Camera.sample(config, rng)
    walkers = walk(config, camera, rng)
    things = _things(config, camera, rng)
    people = len(walkers.start)
    box, depth = camera.boxes(
        np.concatenate([walkers.ground, things.ground]),
        np.concatenate([walkers.height, things.height]),
        np.concatenate([walkers.aspect, things.aspect]),
    )
    in_view = _in_view(box, camera)
    present = _first_visit(in_view[:people], walkers.start, config)
    pillars = slice(people, people + config.pillars)
    hiding = np.concatenate([present, in_view[pillars]])
    standing = slice(0, people + config.pillars)
    sight = look(box[standing], depth[standing], hiding, people, config.width, config.height)
    labelled = rng.random(people) >= config.unlabelled_share

    clutter_box = box[people + config.pillars :]
    proposals = reported(
        Proposals.join(
            [
                detector.detect_people(box[:people], present, sight, labelled, config, rng),
                clutter.persistent(clutter_box, people, config, rng),
                clutter.transient(people + config.clutter, config, rng),
            ]
        ),
        config,
    )
    info = ClipInfo(f"simulated-{seed}", config.frame_count, config.frame_rate, config.width, config.height)
    identity = detector.identities(proposals, box[:people])
    candidates = Candidates.build(
        info,
        proposals.frame,
        proposals.box,
        1 / (1 + np.exp(-proposals.logit)),
        embedding=embed(proposals, people, config, rng),
    )
    if config.followed:
        objects = Objects.of(box[:people], present, sight, clutter_box)
        candidates = replace(candidates, motion=follow(proposals, objects, rng))
    truth = _truth(info, box[:people], present & labelled[:, None], sight)
    return SimulatedClip(candidates, identity, truth, camera.path)


def _things(config: SimulationConfig, camera: Camera, rng: np.random.Generator) -> Walkers:
    """Pillars, then persistent clutter, at fixed places on the ground."""
    count = config.pillars + config.clutter
    nearest, farthest = camera.depth_range()
    ahead = nearest * (farthest / nearest) ** rng.random(count)
    view = ahead * config.width / camera.focal  # m across the image at that distance
    right = rng.uniform(-0.5, 0.5, count) * view
    is_pillar = np.arange(count) < config.pillars
    height = np.where(is_pillar, rng.uniform(2.5, 6.0, count), rng.uniform(0.6, 2.1, count))
    width = np.where(is_pillar, rng.uniform(0.02, 0.12, count) * view, height * rng.uniform(0.3, 0.7, count))
    place = camera.to_world(np.stack([right, ahead], axis=1), rng.integers(0, config.frame_count, count))
    shape = (count, config.frame_count)
    return Walkers(
        ground=np.broadcast_to(place[:, None, :], (*shape, 2)),
        height=np.broadcast_to(height[:, None], shape),
        aspect=np.broadcast_to((width / height)[:, None], shape),
        start=np.zeros(count, np.int64),
    )


def _in_view(box: FloatArray, camera: Camera) -> BoolArray:
    """[Q, F]: near enough, not too near, and at least 30 % of the box in the image."""
    config = camera.config
    _, farthest = camera.depth_range()
    smallest = 0.5 * camera.size_of_person(farthest)
    flat = np.nan_to_num(box.reshape(-1, 4))
    inside = geometry.area(geometry.clip_to_image(flat, config.width, config.height))
    tall = geometry.sizes(flat)[:, 1] / config.height
    good = (inside >= 0.3 * geometry.area(flat)) & (tall >= smallest) & (tall <= 1.4)
    return np.asarray(good.reshape(box.shape[:2]))


def _first_visit(in_view: BoolArray, start: IntArray, config: SimulationConfig) -> BoolArray:
    """[P, F]: from entering until first out of view for more than 0.5 s; who comes back later is left out."""
    frame = np.arange(config.frame_count)
    there = in_view & (frame >= start[:, None])
    last_seen = np.maximum.accumulate(np.where(there, frame, -1), axis=1)
    gone = (last_seen >= 0) & (frame - last_seen > 0.5 * config.frame_rate)
    visit = there & ~np.maximum.accumulate(gone, axis=1)
    return np.asarray(visit & (visit.sum(axis=1) >= 3)[:, None])


def _truth(info: ClipInfo, box: FloatArray, present: BoolArray, sight: Sight) -> GroundTruth:
    track, frame = np.nonzero(present)
    count = len(track)
    return GroundTruth(
        info=info,
        track=track,
        frame=frame,
        box=box[track, frame],
        class_id=np.zeros(count, np.int64),
        visibility=sight.visibility[track, frame],
        ignored=np.zeros(count, bool),
    )

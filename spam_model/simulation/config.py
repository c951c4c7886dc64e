"""What a simulated clip is made of, and random scenes for training.

The ranges of ``sample_config`` enclose what was measured on MOT17-05 and MOT17-11 (YOLOX-X), TUD-Campus (YOLOX-nano)
and Venice-2 (Faster R-CNN); ``tests/spam_model/simulation/test_calibration.py`` compares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IMAGE_SIZES = ((640, 480), (768, 576), (960, 540), (1280, 720), (1920, 1080), (720, 1280))


@dataclass(frozen=True)
class SimulationConfig:
    """One scene and one detector. Lengths in m, angles in rad, times in s; ``*_px`` in shares of the image height.

    Attributes:
        people: mean number of people in view.
        focal: focal length over image width.
        smallest: height of the farthest person over image height.
        pan: standard deviation of the slow turning of the camera.
        shake_px: standard deviation of the smooth shake, image heights.
        camera_speed: m/s, ahead (a walking or driving camera).
        flow_share: share of walkers that follow the scene's main direction, either way.
        group_share: share of walkers that walk in someone's company.
        stop_share: share of the time that a walker stands.
        turn: standard deviation of the slow change of heading.
        dance: 0 walks, 1 dances on the spot with wild changes of pose.
        base_logit: logit of the score of a fully visible person.
        score_noise: standard deviation of that logit over time, fully visible; grows with occlusion.
        jitter: white noise of the boxes, 1 = the least that was measured.
        slow_error: auto-regressive error of the boxes (0.4 s), 1 = the least that was measured.
        shrink: 0 = boxes of whole people, 1 = boxes of what is seen of them.
        part_share: share of people with a box on a part of them at times.
        unlabelled_share: share of people that nobody labelled: reflections, people behind glass.
        clutter: false positives at fixed places in the scene.
        transient: short-lived false positives per frame.
        embedding_noise: length of the noise beside an identity vector of length 1.
        shared_clothes: share of people who look much like another one.
        followed: whether a motion model has looked at the loose ends of the candidates' tracks.
    """

    frame_count: int = 200
    frame_rate: float = 25.0
    width: int = 1280
    height: int = 720
    people: float = 15.0
    camera_height: float = 3.0
    pitch: float = 0.15
    focal: float = 1.0
    smallest: float = 0.12
    pan: float = 0.0
    shake_px: float = 0.0
    camera_speed: float = 0.0
    walk_speed: float = 1.2
    flow_share: float = 0.7
    group_share: float = 0.3
    stop_share: float = 0.15
    turn: float = 0.4
    dance: float = 0.0
    pillars: int = 1
    base_logit: float = 2.3
    score_noise: float = 0.25
    jitter: float = 1.5
    slow_error: float = 1.5
    shrink: float = 0.2
    clip_boxes: bool = False
    duplicate_share: float = 0.2
    part_share: float = 0.2
    unlabelled_share: float = 0.04
    clutter: int = 4
    transient: float = 0.5
    embedding_size: int = 32
    embedding_noise: float = 1.0
    shared_clothes: float = 0.2
    followed: bool = False
    min_score: float = 0.1
    nms_iou: float = 0.7


def sample_config(rng: np.random.Generator) -> SimulationConfig:
    """A random scene for training: street level or surveillance, still or moving camera, walkers or dancers."""

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def sometimes(probability: float, value: float) -> float:
        return value if rng.random() < probability else 0.0

    width, height = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    moving = rng.random() < 0.4
    dancing = rng.random() < 0.12
    camera_height = log_uniform(1.2, 3.0 if dancing else 10.0)
    smallest = rng.uniform(0.3, 0.5) if dancing else log_uniform(0.07, 0.3)
    most = 12 if dancing else 40 if camera_height > 3 or smallest < 0.12 else 20  # who stand near hide all others
    return SimulationConfig(
        frame_count=int(rng.integers(60, 513)),
        frame_rate=float(rng.choice([5.0, 7.0, 10.0, 14.0, 20.0, 25.0, 30.0], p=[0.05, 0.1, 0.1, 0.15, 0.1, 0.2, 0.3])),
        width=width,
        height=height,
        people=log_uniform(3, most),
        camera_height=camera_height,
        pitch=float(np.arctan(camera_height / rng.uniform(10, 25)) + rng.normal(0, 0.03)),
        focal=log_uniform(0.6, 1.5) * max(1.0, height / width),
        smallest=smallest,
        pan=sometimes(0.6 if moving else 0.0, log_uniform(0.03, 0.4)),
        shake_px=log_uniform(0.002, 0.02) if moving else sometimes(0.3, log_uniform(0.0005, 0.003)),
        camera_speed=sometimes(0.5 if moving else 0.0, rng.uniform(-0.3, 1.5)),
        walk_speed=log_uniform(0.7, 1.6),
        flow_share=rng.uniform(0.2, 0.95),
        group_share=rng.uniform(0.0, 0.6),
        stop_share=rng.uniform(0.0, 0.4),
        turn=log_uniform(0.1, 1.0),
        dance=rng.uniform(0.3, 1.0) if dancing else 0.0,
        pillars=int(rng.integers(0, 4)),
        base_logit=float(rng.uniform(1.2, 2.6) if rng.random() < 0.8 else rng.uniform(3.0, 5.0)),
        score_noise=log_uniform(0.12, 0.6),
        jitter=log_uniform(0.3, 4.0),
        slow_error=log_uniform(0.9, 3.3),
        shrink=sometimes(0.6, rng.uniform(0.1, 1.0)),
        clip_boxes=bool(rng.random() < 0.5),
        duplicate_share=log_uniform(0.03, 0.6),
        part_share=log_uniform(0.05, 0.6),
        unlabelled_share=rng.uniform(0.0, 0.12),
        clutter=int(rng.integers(0, 15)),
        transient=log_uniform(0.05, 12.0),
        embedding_noise=log_uniform(0.6, 1.8),
        shared_clothes=rng.uniform(0.0, 0.5),
    )

"""Simulated candidates against real ones, by statistics that need no labels."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spam_model.data.motchallenge import read_detections, read_sequence_info
from spam_model.simulation import sample_config, simulate
from tests.spam_model.simulation.statistics import Statistics, statistics

DATA = Path(os.environ.get("CVAT_SPAM_DATA", Path(__file__).parents[4] / "shared")) / "data" / "tune"
SEQUENCES = [
    ("MOT17-val/MOT17-05", "yolox_x"),
    ("MOT17-val/MOT17-11", "yolox_x"),
    ("MOT15/TUD-Campus", "yolox_nano"),
]


@cache
def simulated() -> tuple[Statistics, ...]:
    """Of 60 random training scenes."""
    configs = [sample_config(np.random.default_rng(seed)) for seed in range(60)]
    clips = (simulate(replace(config, frame_count=80), seed) for seed, config in enumerate(configs))
    return tuple(statistics(clip.candidates) for clip in clips if len(clip.candidates) > 100)


@pytest.mark.shared_data
@pytest.mark.parametrize(("sequence", "detector"), SEQUENCES)
def test_real_candidates_lie_within_the_range_of_training_scenes(sequence: str, detector: str) -> None:
    folder = DATA / sequence
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set CVAT_SPAM_DATA")
    info = read_sequence_info(folder)
    real = statistics(read_detections(folder / "det" / f"{detector}.txt", info))
    scenes = simulated()
    for name, value in vars(real).items():
        spread = np.array([vars(scene)[name] for scene in scenes])
        low, high = np.nanpercentile(spread, [2.5, 97.5], axis=0)
        assert (np.asarray(value) >= low - 1e-9).all(), f"{name}: {value} below {low}"
        assert (np.asarray(value) <= high + 1e-9).all(), f"{name}: {value} above {high}"

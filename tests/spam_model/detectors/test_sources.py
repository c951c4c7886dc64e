"""Candidate sources: the same candidates in whatever batches, with ids that last."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_detections
from spam_model.detectors.base import CandidateSource, candidate_ids, join_candidates
from spam_model.detectors.detect_clip import detect_clip
from spam_model.detectors.registry import create_source
from spam_model.detectors.sources import ImageDetectorSource
from spam_model.errors import FormatError
from tests.spam_model.detectors.shared import BlobDetector, assert_same, write_blobs

FRAMES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("blobs") / "BLOBS", FRAMES)


def sources(folder: Path) -> dict[str, CandidateSource]:
    return {
        "image": ImageDetectorSource(BlobDetector(), ColourHistogram()),
        "file": create_source("file", folder=folder),
        "simulated": create_source("simulated", folder=folder, seed=4),
    }


@pytest.mark.parametrize("kind", ["image", "file", "simulated"])
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, FRAMES - 1)), seed=st.integers(0, 100))
def test_batches_may_be_cut_anywhere_and_joined_in_any_order(
    folder: Path, kind: str, cuts: set[int], seed: int
) -> None:
    clip = Clip.open(folder)
    whole = detect_clip(sources(folder)[kind], clip)
    bounds = [0, *sorted(cuts), FRAMES]
    parts = []
    for start, stop in itertools.pairwise(bounds):
        frames, images = zip(*clip.frames(start, stop), strict=True)
        parts.append(sources(folder)[kind].detect_frames(images, frames, clip.info))  # a fresh source: another process
    order = np.random.default_rng(seed).permutation(len(parts))
    assert_same(join_candidates([parts[i] for i in order]), whole)


def test_an_image_detector_sees_what_is_there(folder: Path) -> None:
    candidates = detect_clip(sources(folder)["image"], Clip.open(folder))
    assert candidates.info.class_names == ("blob",)
    assert len(candidates) == 2 * (FRAMES - 1)
    assert 5 not in candidates.frame
    first = candidates.take(candidates.frame == 0)
    assert first.box.tolist() == [[90, 20, 115, 60], [60, 20, 80, 60]]
    assert first.id.tolist() == [0, 1]
    assert candidates.id.max() == 110_001
    assert np.linalg.norm(candidates.embedding, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_file_gives_its_boxes_with_the_ids_of_its_rows_and_embeddings_from_the_pixels(folder: Path) -> None:
    clip = Clip.open(folder)
    candidates = detect_clip(sources(folder)["file"], clip)
    plain = read_detections(folder / "det" / "det.txt", clip.info)
    assert np.array_equal(candidates.id, plain.id)
    assert np.array_equal(candidates.box, plain.box)
    assert len(candidates) == 2 * (FRAMES - 1) - 1  # one score lies below 0.1
    left = candidates.embedding[candidates.box[:, 0] < 75]
    right = candidates.embedding[candidates.box[:, 0] > 75]
    assert (left @ left.T).min() > (left @ right.T).max() + 0.2


def test_progress_counts_every_frame(folder: Path) -> None:
    told: list[int] = []
    detect_clip(sources(folder)["file"], Clip.open(folder), batch=5, progress=told.append)
    assert told == [5, 5, 2]


def test_ids_come_from_frame_and_rank() -> None:
    assert candidate_ids(np.array([0, 0, 3, 3, 3, 7])).tolist() == [0, 1, 30_000, 30_001, 30_002, 70_000]


def test_more_candidates_in_a_frame_than_ids_is_an_error() -> None:
    with pytest.raises(FormatError, match="frame 2 has more than 10000 candidates"):
        candidate_ids(np.full(10_001, 2))


def test_candidates_of_different_clips_cannot_be_joined(folder: Path) -> None:
    clip = Clip.open(folder)
    part = detect_clip(sources(folder)["file"], clip)
    other = replace(part, info=replace(part.info, name="another"))
    with pytest.raises(FormatError, match="cannot be joined"):
        join_candidates([part, other])

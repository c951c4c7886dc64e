"""The rendered clip: repeatable, and its ground truth is true to its pixels."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_ground_truth, read_sequence_info
from spam_model.data.rendered import render, render_clip
from spam_model.data.rendered.camera import Camera, camera_path
from spam_model.data.rendered.figure import build_figure
from spam_model.data.rendered.street import OVERSAMPLING, Sighting, Street
from spam_model.data.rendered.walks import PILLAR, Walker, make_walkers
from spam_model.geometry import iou_matrix
from spam_model.values import GroundTruth

SIZE = (320, 180)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(
        tmp_path_factory.mktemp("rendered") / "street", seed=6, frames=30, width=320, height=180, frame_rate=2
    )


def truth_of(folder: Path) -> GroundTruth:
    return read_ground_truth(folder / "gt" / "gt.txt", read_sequence_info(folder))


@pytest.fixture(scope="module")
def camera() -> Camera:
    return camera_path(1, 10.0, SIZE[0] * OVERSAMPLING, SIZE[1] * OVERSAMPLING, np.random.default_rng(0))[0]


@pytest.fixture(scope="module")
def street() -> Street:
    return Street(*SIZE, np.random.default_rng(0))


def standing(x: float, z: float) -> Walker:
    """Somebody who stands at x, z (m), seen from the side."""
    walker = make_walkers(4, 10, 10.0, np.random.default_rng(3))[0]
    still = np.zeros(10)
    outfit = replace(walker.outfit, height=1.75)
    return Walker(outfit, np.tile([x, z], (10, 1)), heading=still, phase=still, swing=still)


def test_the_same_seed_gives_the_same_clip_and_another_seed_another(folder: Path, tmp_path: Path) -> None:
    again = render_clip(tmp_path / "street", seed=6, frames=30, width=320, height=180, frame_rate=2)
    other = render_clip(tmp_path / "other", seed=7, frames=5, width=320, height=180)
    assert (again / "gt/gt.txt").read_text() == (folder / "gt/gt.txt").read_text()
    assert (again / "seqinfo.ini").read_text() == (folder / "seqinfo.ini").read_text()
    first, second, third = Clip.open(folder), Clip.open(again), Clip.open(other)
    assert all(np.array_equal(first.frame(i), second.frame(i)) for i in range(0, 30, 7))
    assert not np.array_equal(first.frame(0), third.frame(0))


def test_the_video_has_the_frames_that_seqinfo_says(folder: Path) -> None:
    info, said = Clip.open(folder).info, read_sequence_info(folder)
    assert (info.frame_count, info.frame_rate, info.width, info.height) == (30, 2.0, 320, 180)
    assert said.frame_count == 30


def test_people_enter_leave_cross_and_hide(folder: Path) -> None:
    truth = truth_of(folder)
    tracks = np.unique(truth.track)
    first = [truth.frame[truth.track == track].min() for track in tracks]
    last = [truth.frame[truth.track == track].max() for track in tracks]
    assert 5 <= len(tracks) <= 14
    assert any(frame > 0 for frame in first)
    assert any(frame < 29 for frame in last)
    assert (truth.visibility < 0.3).any()
    assert (truth.visibility > 0.95).mean() > 0.3
    overlaps = [
        np.triu(iou_matrix(truth.box[truth.frame == frame], truth.box[truth.frame == frame]), 1).max()
        for frame in range(30)
    ]
    assert max(overlaps) > 0.3


def test_a_lone_person_is_all_visible_and_the_box_has_the_height_that_the_distance_asks(
    street: Street, camera: Camera
) -> None:
    _, (sight,) = street.render(camera, [standing(-2.0, 7.0)], 0)
    expected = 1.75 * camera.focal / 7.0 / OVERSAMPLING
    assert sight.visibility == sight.inside == 1
    assert sight.box[3] - sight.box[1] == pytest.approx(expected, rel=0.08)


def test_the_box_holds_every_pixel_that_the_person_changes_above_the_ground(street: Street, camera: Camera) -> None:
    empty, _ = street.render(camera, [], 0)
    with_person, (sight,) = street.render(camera, [standing(-1.0, 9.0)], 0)
    changed = np.abs(with_person.astype(int) - empty).max(axis=2) > 12
    x1, y1, x2, y2 = sight.box
    hips = round((y1 + 1.2 * y2) / 2.2)  # the shadow lies below
    rows, columns = np.nonzero(changed[:hips])
    assert rows.min() == pytest.approx(y1, abs=1.5)
    assert columns.min() >= x1 - 1.5
    assert columns.max() <= x2 + 1.5


def test_whoever_stands_nearer_hides_and_is_not_hidden(street: Street, camera: Camera) -> None:
    behind = camera.position[0] + (-2.0 - camera.position[0]) * 7.0 / 6.5
    _, sights = street.render(camera, [standing(-2.0, 6.5), standing(behind, 7.0)], 0)
    near, far = sorted(sights, key=lambda sight: sight.walker)
    assert near.visibility == 1
    assert far.visibility < 0.4


def test_the_pillar_hides_who_stands_behind_it_and_the_box_stays_whole(street: Street, camera: Camera) -> None:
    ray = (PILLAR[0] - camera.position[0]) / PILLAR[1]
    _, (hidden,) = street.render(camera, [standing(camera.position[0] + ray * 9.4, 9.4)], 0)
    assert hidden.visibility < 0.05
    assert hidden.inside == 1
    assert hidden.box[3] - hidden.box[1] == pytest.approx(1.75 * camera.focal / 9.4 / OVERSAMPLING, rel=0.08)


def test_a_box_reaches_beyond_the_image_where_the_person_does(street: Street, camera: Camera) -> None:
    half = SIZE[0] * OVERSAMPLING / 2 / camera.focal
    yaw = float(np.arctan2(camera.rotation[2, 0], camera.rotation[2, 2]))
    edge = camera.position[0] + 7.0 * np.tan(yaw - np.arctan(half))
    _, (cut,) = street.render(camera, [standing(float(edge), 7.0)], 0)
    assert cut.box[0] < 0 < cut.box[2]
    assert 0.1 < cut.inside < 0.9
    assert cut.visibility <= cut.inside


@pytest.mark.parametrize(
    ("hidden_frames", "annotated"),
    [(range(5, 25), 60), (range(5, 26), 39), (range(40, 60), 60), (range(30, 60), 30), (range(0), 60)],
    ids=["two seconds", "longer", "two seconds at the end", "longer at the end", "never"],
)
def test_whoever_is_hidden_for_more_than_two_seconds_is_not_annotated_meanwhile(
    hidden_frames: range, annotated: int
) -> None:
    box = np.array([1.0, 2.0, 3.0, 4.0])
    sightings = [[Sighting(0, box, 1.0, 0.0 if frame in hidden_frames else 1.0)] for frame in range(60)]
    assert len(render._rows(sightings, 10.0)) == annotated


def ankles(walker: Walker, frame: int) -> list[np.ndarray]:
    shoes = [part for part in build_figure(walker.outfit, walker.pose(frame)) if part.nearer < 0]
    return [shoe.centre[0] for shoe in shoes]


def test_the_foot_that_stands_does_not_slide() -> None:
    for walker in make_walkers(14, 240, 10.0, np.random.default_rng(6)):
        feet = np.array([ankles(walker, frame) for frame in range(240)])  # [F, 2, 3]
        standing_foot = feet[..., 1].argmin(axis=1)
        same = np.flatnonzero(standing_foot[1:] == standing_foot[:-1])
        slid = np.linalg.norm(feet[same + 1, standing_foot[same]] - feet[same, standing_foot[same]], axis=1)
        walked = np.linalg.norm(walker.position[same + 1] - walker.position[same], axis=1)
        walking = walked > 0.05
        assert np.median(slid[walking]) < 0.35 * np.median(walked[walking])


def test_nobody_walks_through_the_pillar() -> None:
    for seed in range(5):
        for walker in make_walkers(14, 240, 10.0, np.random.default_rng(seed)):
            assert np.linalg.norm(walker.position - PILLAR, axis=1).min() > 0.5


def test_twenty_four_seconds_are_drawn_in_less_than_twenty(tmp_path: Path) -> None:
    start = time.process_time()
    render_clip(tmp_path / "speed", frames=12)
    assert (time.process_time() - start) / 12 * 240 < 40  # twice the aim: other jobs share the machine

"""The camera's path from the background: against shifts that are known, and against rendered cameras."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.data.rendered import render_clip
from spam_model.data.rendered.camera import Camera
from spam_model.data.rendered.camera import camera_path as rendered_cameras
from spam_model.data.rendered.street import OVERSAMPLING, Street
from spam_model.data.rendered.walks import make_walkers
from spam_model.detectors.simulated import simulate_detections
from spam_model.motion import camera_path
from spam_model.motion.optical_flow import MAX_SIDE, camera_step, flow_path
from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import FloatArray
from tests.spam_model.detectors.shared import CAMPUS

WIDTH, HEIGHT = 320, 240
NO_BOX = np.zeros((0, 4))


def texture(seed: int = 0, size: int = 900) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 255, (size // 10, size // 10, 3), np.uint8), (size, size)).astype(np.uint8)


def view(scene: np.ndarray, x: float, y: float, turn: float = 0, zoom: float = 1, scale: float = 1) -> np.ndarray:
    """What a camera sees whose image lies x, y px to the right and below of the scene's middle."""
    size = np.array([WIDTH, HEIGHT]) * scale
    matrix = cv2.getRotationMatrix2D((scene.shape[1] / 2, scene.shape[0] / 2), turn, zoom)
    matrix[:, 2] += size / 2 - np.array(scene.shape[1::-1]) / 2 + np.array([x, y])
    return cv2.warpAffine(scene, matrix, tuple(size.astype(int).tolist()))


def grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def nothing_found(frames: int, scale: int = 1) -> Candidates:
    info = ClipInfo("scene", frames, 10, WIDTH * scale, HEIGHT * scale)
    return Candidates.build(info, np.zeros(0, int), NO_BOX, np.zeros(0))


@pytest.mark.parametrize(
    ("shift", "turn", "zoom"),
    [((0, 0), 0, 1), ((3.5, -2.25), 0, 1), ((-18, 9), 0, 1), ((2, 1), 1.5, 1), ((-1, 4), 0, 1.03), ((0, 0), -2, 0.98)],
)
def test_the_shift_of_the_middle_is_found_under_turn_and_zoom(
    shift: tuple[float, float], turn: float, zoom: float
) -> None:
    scene = texture()
    step = camera_step(grey(view(scene, 0, 0)), grey(view(scene, *shift, turn, zoom)), NO_BOX)
    assert step == pytest.approx(shift, abs=0.1)


def test_steps_add_up_to_the_path() -> None:
    scene = texture(1)
    time = np.arange(12)
    truth = np.stack([4.0 * time, 10 * np.sin(time / 2)], axis=1)
    path = flow_path(((i, view(scene, *truth[i])) for i in range(12)), nothing_found(12))
    assert path == pytest.approx(truth, abs=0.5)


def test_a_large_picture_is_measured_in_its_own_pixels() -> None:
    scene = texture(2, 3 * 900)
    assert 3 * WIDTH > MAX_SIDE
    truth = np.array([[0, 0], [7.0, -5], [19, 3]])
    path = flow_path(((i, view(scene, *truth[i], scale=3)) for i in range(3)), nothing_found(3, 3))
    assert path == pytest.approx(truth, abs=0.5)


def test_what_moves_inside_of_boxes_does_not_count() -> None:
    """Three quarters of the picture go one way, all in a box; the background stands."""
    scene, walker = view(texture(3), 0, 0), texture(4)
    now, then = scene.copy(), scene.copy()
    now[:, 40:280], then[:, 40:280] = walker[:HEIGHT, 100:340], walker[:HEIGHT, 95:335]
    box = np.array([[45.0, 0, 275, HEIGHT]])
    assert camera_step(grey(now), grey(then), box) == pytest.approx([0, 0], abs=0.05)
    assert camera_step(grey(now), grey(then), NO_BOX) == pytest.approx([5, 0], abs=0.05)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.full((HEIGHT, WIDTH), 90, np.uint8), np.full((HEIGHT, WIDTH), 90, np.uint8)),
        (grey(view(texture(5), 0, 0)), grey(view(texture(6), 0, 0))),
        (grey(view(texture(5), 0, 0)), np.zeros((HEIGHT, WIDTH), np.uint8)),
        (np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8)),
    ],
    ids=["blank", "a cut", "to black", "one pixel"],
)
def test_where_nothing_can_be_followed_the_camera_stands(first: np.ndarray, second: np.ndarray) -> None:
    assert camera_step(first, second, NO_BOX).tolist() == [0, 0]


def test_boxes_all_over_the_picture_leave_the_picture_to_go_by() -> None:
    scene = texture(7)
    everything = np.array([[-50.0, -50, 900, 900]])
    step = camera_step(grey(view(scene, 0, 0)), grey(view(scene, 6, 2)), everything)
    assert step == pytest.approx([6, 2], abs=0.1)


def shift_of_a_point(cameras: list[Camera], depth: float) -> FloatArray:
    """Path in the image of a point straight ahead of the first camera, [F, 2] px."""
    point = cameras[0].position + depth * cameras[0].rotation[2]
    seen = np.stack([camera.project(point) for camera in cameras]) / OVERSAMPLING
    return np.asarray(seen - seen[0])


def test_a_rendered_camera_is_followed_better_than_by_its_boxes(tmp_path: Path) -> None:
    frames, seed, width, height = 24, 6, 320, 180
    folder = render_clip(tmp_path / "street", seed=seed, frames=frames, width=width, height=height)
    rng = np.random.default_rng(seed)  # as ``render_clip`` draws
    make_walkers(14, frames, 10.0, rng)
    Street(width, height, rng)
    cameras = rendered_cameras(frames, 10.0, width * OVERSAMPLING, height * OVERSAMPLING, rng)
    truth = shift_of_a_point(cameras, 15.0)  # m, where people walk
    candidates = simulate_detections(read_truth(folder), seed=0)
    error = np.abs(np.diff(flow_path(Clip.open(folder).frames(), candidates) - truth, axis=0)).mean()
    of_boxes = np.abs(np.diff(camera_path(candidates) - truth, axis=0)).mean()
    assert error < 0.25 * np.abs(np.diff(truth, axis=0)).mean()
    assert error < 0.5 * of_boxes


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
def test_a_real_camera_that_stands_has_no_path() -> None:
    clip = Clip.open(CAMPUS)
    candidates = simulate_detections(read_truth(CAMPUS), seed=0)
    frames = [(index, image) for index, image in clip.frames(0, 30)]
    assert np.abs(flow_path(frames, candidates)).max() < 0.5

"""The Kalman filter against the textbook's equations, written out for one box."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.trackers import kalman


def textbook(mean: np.ndarray, covariance: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Predict and update of one state; and the squared Mahalanobis distance of what was seen."""
    height = mean[3]
    move = np.eye(8)
    for axis in range(4):
        move[axis, axis + 4] = 1
    process = np.diag(np.square([height / 20, height / 20, 1e-2, height / 20, *[height / 160] * 2, 1e-5, height / 160]))
    mean, covariance = move @ mean, move @ covariance @ move.T + process
    look = np.eye(4, 8)
    height = mean[3]
    noise = np.diag(np.square([height / 20, height / 20, 1e-1, height / 20]))
    spread = look @ covariance @ look.T + noise
    gain = covariance @ look.T @ np.linalg.inv(spread)
    error = seen - look @ mean
    distance = float(error @ np.linalg.inv(spread) @ error)
    return mean + gain @ error, covariance - gain @ spread @ gain.T, distance


def test_it_equals_the_textbook_over_many_frames() -> None:
    rng = np.random.default_rng(0)
    boxes = [np.array([[10.0, 20, 40, 110]]) + frame * np.array([3, 1, 3.2, 1.4]) for frame in range(12)]
    state = kalman.initiate(boxes[0])
    mean, covariance = state.mean[0], state.covariance[0]
    for clean in boxes[1:]:
        box = clean + rng.normal(0, 1, (1, 4))
        predicted = kalman.predict(state)
        distance = kalman.squared_distance(predicted, np.concatenate([box, box + 5]))
        state = kalman.update(predicted, box)
        mean, covariance, wanted = textbook(mean, covariance, kalman.measured(box)[0])
        assert state.mean[0] == pytest.approx(mean, rel=1e-9)
        assert state.covariance[0] == pytest.approx(covariance, rel=1e-7, abs=1e-12)
        assert distance.shape == (1, 2)
        assert distance[0, 0] == pytest.approx(wanted)
    assert state.mean[0, 4] == pytest.approx(3.1, abs=0.6)  # px per frame


def test_rows_do_not_mix_and_boxes_come_back() -> None:
    box = np.array([[0.0, 0, 10, 30], [50, 60, 90, 100], [5, 5, 6, 7]])
    together = kalman.predict(kalman.initiate(box))
    assert together.box == pytest.approx(box)
    for row in range(3):
        alone = kalman.predict(kalman.initiate(box[row : row + 1]))
        assert together.covariance[row] == pytest.approx(alone.covariance[0])
    assert len(kalman.update(together.take(np.zeros(0, int)), np.zeros((0, 4)))) == 0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model import geometry
from spam_model.simulation import SimulatedClip, SimulationConfig, sample_config, simulate
from spam_model.simulation.noise import smooth_noise
from spam_model.simulation.occlusion import look

CONFIG = SimulationConfig(frame_count=150, people=15)


@pytest.fixture(scope="module")
def clips() -> list[SimulatedClip]:
    """Random training scenes, cut to 120 frames."""
    return [simulate(replace(sample_config(np.random.default_rng(seed)), frame_count=120), seed) for seed in range(12)]


def truth_row(clip: SimulatedClip, rows: np.ndarray) -> np.ndarray:
    """Row of the truth box that each valid candidate is labelled with."""
    stride = clip.truth.info.frame_count
    key = clip.truth.track * stride + clip.truth.frame
    wanted = clip.identity[rows] * stride + clip.candidates.frame[rows]
    found = np.searchsorted(key, wanted)
    assert (key[found] == wanted).all()
    return found


def test_the_same_seed_gives_the_same_clip_and_another_one_another() -> None:
    first, again, other = simulate(CONFIG, 3), simulate(CONFIG, 3), simulate(CONFIG, 4)
    assert (first.candidates.box == again.candidates.box).all()
    assert (first.candidates.embedding == again.candidates.embedding).all()
    assert (first.identity == again.identity).all()
    assert len(first.candidates) != len(other.candidates) or (first.candidates.box != other.candidates.box).any()


def test_an_identity_is_the_truth_track_whose_box_the_candidate_fits(clips: list[SimulatedClip]) -> None:
    for clip in clips:
        valid = np.flatnonzero(clip.identity >= 0)
        iou = geometry.iou_rows(clip.candidates.box[valid], clip.truth.box[truth_row(clip, valid)])
        assert (iou >= 0.5).all()
        key = clip.identity[valid] * clip.truth.info.frame_count + clip.candidates.frame[valid]
        assert len(np.unique(key)) == len(key), "one candidate a person and frame"


def test_truth_is_sorted_and_in_view(clips: list[SimulatedClip]) -> None:
    for clip in clips:
        truth = clip.truth
        assert (np.diff(truth.track * truth.info.frame_count + truth.frame) > 0).all()
        inside = geometry.clip_to_image(truth.box, truth.info.width, truth.info.height)
        assert (geometry.area(inside) >= 0.3 * geometry.area(truth.box) - 1e-6).all()
        assert ((truth.visibility >= 0) & (truth.visibility <= 1)).all()


def test_candidates_keep_the_threshold_and_the_suppression(clips: list[SimulatedClip]) -> None:
    for clip in clips:
        assert (clip.candidates.score >= 0.1).all()
        for frame in range(0, 120, 7):
            box = clip.candidates.box[clip.candidates.frame == frame]
            iou = geometry.iou_matrix(box, box)
            np.fill_diagonal(iou, 0)
            assert iou.max(initial=0) <= 0.7


def test_embeddings_are_unit_vectors_that_tell_people_apart() -> None:
    clip = simulate(replace(CONFIG, shared_clothes=0.0, embedding_noise=1.6), 0)
    rng = np.random.default_rng(0)
    first, second = rng.choice(np.flatnonzero(clip.identity >= 0), (2, 4000))
    embedding = clip.candidates.embedding
    assert np.allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    likeness = (embedding[first] * embedding[second]).sum(axis=1)
    same = clip.identity[first] == clip.identity[second]
    assert likeness[same].mean() > likeness[~same].mean() + 0.15
    assert np.quantile(likeness[same], 0.1) < np.quantile(likeness[~same], 0.95), "but not perfectly"


def test_hidden_people_are_found_less_often_and_score_less() -> None:
    found, hidden, score = [], [], []
    for seed in range(6):
        clip = simulate(replace(CONFIG, people=25, camera_height=1.8, pitch=0.05), seed)
        valid = np.flatnonzero(clip.identity >= 0)
        rows = truth_row(clip, valid)
        score.append(np.stack([clip.truth.visibility[rows], clip.candidates.score[valid]]))
        hit = np.zeros(len(clip.truth), bool)
        hit[rows] = True
        found.append(hit)
        hidden.append(1 - clip.truth.visibility)
    hit, gone = np.concatenate(found), np.concatenate(hidden)
    recall = [hit[(gone >= low) & (gone < high)].mean() for low, high in ((0, 0.3), (0.8, 0.95), (0.95, 1.01))]
    assert recall[0] > 0.97 > 0.92 > recall[1] > 0.5 > recall[2]
    visibility, scores = np.concatenate(score, axis=1)
    assert np.median(scores[visibility > 0.9]) > np.median(scores[visibility < 0.4]) + 0.1


def test_misses_come_in_runs() -> None:
    """A miss makes a miss in the next frame far more likely than misses are on average."""
    clip = simulate(replace(CONFIG, people=30, camera_height=1.8, pitch=0.05), 0)
    hit = np.zeros(len(clip.truth), bool)
    hit[truth_row(clip, np.flatnonzero(clip.identity >= 0))] = True
    next_frame = (np.diff(clip.truth.track) == 0) & (np.diff(clip.truth.frame) == 1)
    miss, after = ~hit[:-1][next_frame], ~hit[1:][next_frame]
    assert after[miss].mean() > 3 * after.mean()


def test_persistent_clutter_lives_long_and_transient_clutter_does_not() -> None:
    quiet = replace(CONFIG, people=1, part_share=0, duplicate_share=0, unlabelled_share=0, transient=0, clutter=0)
    lasting = simulate(replace(quiet, clutter=8), 1)
    flashes = simulate(replace(quiet, transient=2.0), 1)

    def followed(clip: SimulatedClip) -> float:
        """Share of false positives with another one at the same place in the next frame."""
        false = clip.candidates.take(clip.identity < 0)
        hits = [
            geometry.iou_matrix(false.box[false.frame == f], false.box[false.frame == f + 1]).max(axis=1, initial=0)
            for f in range(CONFIG.frame_count - 1)
        ]
        return float((np.concatenate(hits) > 0.6).mean())

    assert followed(lasting) > 0.8
    assert followed(flashes) < 0.6


def test_unlabelled_people_are_detected_and_no_truth() -> None:
    everyone = simulate(replace(CONFIG, unlabelled_share=0.0, clutter=0, transient=0, part_share=0), 5)
    nobody = simulate(replace(CONFIG, unlabelled_share=1.0, clutter=0, transient=0, part_share=0), 5)
    assert len(nobody.truth) == 0
    assert (nobody.identity == -1).all()
    assert len(nobody.candidates) > 0.8 * len(everyone.candidates)


def test_a_still_camera_has_no_path_and_a_panning_one_starts_at_zero() -> None:
    assert not simulate(CONFIG, 0).camera_path.any()
    path = simulate(replace(CONFIG, pan=0.2, shake_px=0.01), 0).camera_path
    assert (path[0] == 0).all()
    assert np.abs(path).max() > 10


def test_a_scene_without_anybody_in_view_is_a_clip_all_the_same() -> None:
    clip = simulate(SimulationConfig(frame_count=1, people=0.01, clutter=0, transient=0, pillars=0), 0)
    assert clip.identity.shape == (len(clip.candidates),)
    assert clip.candidates.info.frame_count == 1


class TestOcclusion:
    def sight(self, *boxes: tuple[tuple[float, ...], float]) -> tuple[np.ndarray, np.ndarray]:
        box = np.array([[corners] for corners, _ in boxes], float)
        depth = np.array([[away] for _, away in boxes])
        seen = look(box, depth, np.ones((len(boxes), 1), bool), len(boxes), 640, 480)
        return seen.visibility[:, 0], seen.occluder[:, 0]

    def test_the_nearer_one_hides_the_farther_one(self) -> None:
        visibility, occluder = self.sight(((100, 100, 140, 200), 9.0), ((90, 90, 150, 220), 4.0))
        assert visibility.tolist() == [0.0, 1.0]
        assert occluder.tolist() == [1, -1]

    def test_two_who_hide_the_same_half_count_once(self) -> None:
        half = (90.0, 150.0, 160.0, 260.0)
        visibility, _ = self.sight(((100, 100, 140, 200), 9.0), (half, 4.0), (half, 3.0))
        assert visibility[0] == pytest.approx(0.5)

    def test_what_lies_outside_the_image_is_not_seen(self) -> None:
        visibility, occluder = self.sight(((-20, 100, 20, 200), 5.0))
        assert visibility.tolist() == [0.5]
        assert occluder.tolist() == [-1]


class TestSmoothNoise:
    @pytest.mark.parametrize("order", [1, 2])
    def test_it_has_variance_1_from_the_first_frame_on(self, order: int) -> None:
        noise = smooth_noise(np.random.default_rng(0), 4000, 20, correlation=8.0, order=order)
        assert np.allclose(noise.std(axis=0), 1, atol=0.06)
        assert np.allclose(noise.mean(axis=0), 0, atol=0.06)

    def test_it_forgets_as_told(self) -> None:
        noise = smooth_noise(np.random.default_rng(0), 4000, 20, correlation=8.0)
        for lag in (1, 8):
            measured = (noise[:, 0] * noise[:, lag]).mean()
            assert measured == pytest.approx(np.exp(-lag / 8), abs=0.05)

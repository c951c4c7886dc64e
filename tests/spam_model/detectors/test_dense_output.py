"""From all anchors of a batch to the boxes of each image."""

from __future__ import annotations

import numpy as np
import torch

from spam_model.detectors.dense_output import find_boxes
from spam_model.detectors.nms import non_maximum_suppression
from spam_model.geometry import clip_to_image, sizes

SIZES = [(100, 50), (60, 90), (100, 50)]


def random_output(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-30, 90, (3, 200, 2))
    box = np.concatenate([corner, corner + rng.uniform(-1, 40, (3, 200, 2))], axis=2)
    return torch.tensor(box), torch.tensor(np.round(rng.uniform(0, 1, (3, 200, 2)), 2))


def test_a_batch_gives_what_its_images_give_one_by_one() -> None:
    for seed in range(10):
        box, score = random_output(seed)
        together = find_boxes(box, score, SIZES, min_score=0.4, max_iou=0.5).per_image(3)
        for row, size in enumerate(SIZES):
            anchor, class_id = np.nonzero(score[row].numpy() >= 0.4)
            inside = (sizes(clip_to_image(box[row].numpy()[anchor], *size)) > 0).all(axis=1)
            anchor, class_id = anchor[inside], class_id[inside]
            found, value = box[row].numpy()[anchor], score[row].numpy()[anchor, class_id]
            kept = non_maximum_suppression(found, value, class_id, 0.5)
            assert together[row].box.tolist() == found[kept].tolist()
            assert together[row].score.tolist() == value[kept].tolist()
            assert together[row].class_id.tolist() == class_id[kept].tolist()


def test_each_box_names_the_anchor_that_found_it() -> None:
    box, score = random_output(0)
    found = find_boxes(box, score, SIZES, min_score=0.4, max_iou=0.5)
    assert len(found.anchor) > 50
    assert box[found.image, found.anchor].equal(found.box)
    assert score[found.image, found.anchor, found.class_id].equal(found.score)


def test_images_without_a_box_have_none() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]]).expand(3, 1, 4)
    score = torch.tensor([0.0, 0.9, 0.0]).view(3, 1, 1)
    found = find_boxes(box, score, SIZES, min_score=0.1, max_iou=0.5).per_image(3)
    assert [len(part.score) for part in found] == [0, 1, 0]
    assert found[0].box.shape == (0, 4)
    nothing = find_boxes(box, torch.zeros(3, 1, 1), SIZES, min_score=0.1, max_iou=0.5).per_image(3)
    assert [len(part.score) for part in nothing] == [0, 0, 0]


def test_what_is_no_box_of_the_image_is_dropped() -> None:
    box = torch.tensor([[-20.0, 0, 0, 10], [0, 0, torch.inf, 10], [torch.nan] * 4, [5, 9, 5, 12], [95, 40, 120, 90]])
    (found,) = find_boxes(
        box[None], torch.full((1, 5, 1), 1.0000001), [(100, 50)], min_score=0.1, max_iou=0.5
    ).per_image(1)
    assert found.box.tolist() == [[95, 40, 120, 90]]  # a box may reach beyond the image
    assert found.score.tolist() == [1.0]

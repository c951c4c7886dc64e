"""The shipped motion model on real video, where its detector's weights are in the cache (spam-model fetch-weights)."""

from __future__ import annotations

import numpy as np
import pytest

from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.detectors.fetch import cache_folder
from spam_model.evaluation.propagation_accuracy import propagation_accuracy
from spam_model.motion.model import SHIPPED_WEIGHTS, MotionModel
from spam_model.motion.propagation import ClipFeatures
from tests.spam_model.detectors.shared import CAMPUS


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
@pytest.mark.skipif(not (cache_folder() / "yolov4-tiny").is_dir(), reason="no weights in the cache")
@pytest.mark.skipif(not SHIPPED_WEIGHTS.is_file(), reason="no shipped motion weights")
def test_people_are_followed_better_than_by_constant_velocity() -> None:
    from spam_model.detectors.yolov4_tiny import YoloV4Tiny

    eyes, model = YoloV4Tiny(embed=False), MotionModel.load()
    features = ClipFeatures(Clip.open(CAMPUS), eyes, model, kept=40)
    measured = propagation_accuracy(model, features, read_truth(CAMPUS), gaps=(1, 25), every=15)
    straight, explicit = measured.iou["constant velocity"], measured.iou["EMM"]
    assert measured.boxes[25] > 5
    assert explicit[1] is not None
    assert straight[1] is not None
    assert explicit[1] > straight[1] - 0.02
    assert np.subtract(explicit[25], straight[25]) > 0

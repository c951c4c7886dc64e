from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from spam_model.appearance.crops import cut_crops
from spam_model.appearance.openvino_reid import OpenVinoReid
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import read_ground_truth
from spam_model.errors import FormatError, InputError
from spam_model.evaluation.appearance_auc import choose_crops, embed_crops, pair_auc
from tests.spam_model.detectors.shared import CAMPUS, SHARED

RETAIL = SHARED / "weights" / "person-reidentification-retail-0288.xml"
DETECTOR = SHARED / "weights" / "person-detection-retail-0013.xml"
CROPS = np.random.default_rng(0).integers(0, 256, (6, 256, 128, 3), np.uint8)
needs_model = pytest.mark.skipif(not RETAIL.is_file(), reason="no development data (CVAT_SPAM_DATA)")


@pytest.fixture(scope="module")
def model() -> OpenVinoReid:
    pytest.importorskip("openvino")
    return OpenVinoReid(RETAIL, threads=1)


def test_without_openvino_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"pip install 'cvat-spam\[openvino\]'"):
        OpenVinoReid(tmp_path / "model.xml")


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = tmp_path / "model.xml"
    with pytest.raises(InputError, match="no such file"):
        OpenVinoReid(path)
    path.write_text("<net/>")
    with pytest.raises(InputError, match=r"model\.bin: no such file"):
        OpenVinoReid(path)
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(FormatError, match="not a model that OpenVINO can load"):
        OpenVinoReid(path)


@pytest.mark.shared_data
@needs_model
def test_a_model_of_another_kind_is_refused() -> None:
    pytest.importorskip("openvino")
    with pytest.raises(FormatError, match="a re-identification model takes one"):
        OpenVinoReid(DETECTOR)


@pytest.mark.shared_data
@needs_model
def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_batch(model: OpenVinoReid) -> None:
    together = model.embed_crops(CROPS)
    assert (model.size, model.dimension) == ((256, 128), 256)
    assert together.shape == (6, 256)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    for rows in ([0], [5, 1], [3, 2, 4, 0, 1]):
        assert (model.embed_crops(CROPS[rows]) == together[rows]).all()
    assert model.embed_crops(CROPS[:0]).shape == (0, 256)


@pytest.mark.shared_data
@needs_model
def test_it_gives_what_openvino_gives_for_one_crop_at_a_time(model: OpenVinoReid) -> None:
    import openvino

    plain = openvino.Core().compile_model(RETAIL, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = np.random.default_rng(1).integers(0, 256, (300, 200, 3), np.uint8)
    boxes = np.array([[10.0, 20, 90, 250], [-20, 100, 60, 400]])
    for vector, crop in zip(model.embed(image, boxes), cut_crops(image, boxes, (256, 128)), strict=True):
        expected = plain(crop.transpose(2, 0, 1)[None].astype(np.float32))[0].reshape(-1)
        assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


@pytest.mark.shared_data
@needs_model
def test_it_tells_people_apart_on_real_video(model: OpenVinoReid) -> None:
    clip = Clip.open(CAMPUS)
    crops = choose_crops(read_ground_truth(CAMPUS / "gt" / "gt.txt", clip.info), clip.info.frame_count, 200)
    embedding = embed_crops(crops, clip, model)
    assert pair_auc(crops, embedding, clip.info.frame_rate, 0.2).auc > 0.87  # 0.89 over all crops

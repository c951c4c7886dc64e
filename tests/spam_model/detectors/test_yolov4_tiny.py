"""YOLOv4-tiny as a joint detector. The network itself is tested where its weights are in the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.data.clip import Clip, Image
from spam_model.data.motchallenge import read_ground_truth
from spam_model.detectors.fetch import cache_folder
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.sources import JointDetectorSource
from spam_model.detectors.yolov4_tiny import INPUT_PIXELS, YoloV4Tiny, fitting_size
from spam_model.errors import DeviceError, FormatError, InputError
from spam_model.evaluation.appearance_auc import choose_crops, embed_crops, pair_auc
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from tests.spam_model.detectors.darknet_files import write_all_kinds, write_one_layer
from tests.spam_model.detectors.shared import CAMPUS, recall_and_precision

WEIGHTS = cache_folder() / "yolov4-tiny"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no weights in the cache (spam-model fetch-weights)")


@pytest.fixture
def one_layer(tmp_path: Path) -> Path:
    return write_one_layer(tmp_path)


def plain(folder: Path, **settings: object) -> YoloV4Tiny:
    return YoloV4Tiny(folder, embed=False, device="cpu", **settings)  # type: ignore[arg-type]


def test_outputs_decode_to_boxes_of_the_image(one_layer: Path) -> None:
    image = np.zeros((208, 832, 3), np.uint8)  # half as high and twice as wide as the input
    (found,) = plain(one_layer, max_iou=1.0, input_size=(416, 416)).detect([image])
    assert len(found.score) == 169
    assert found.score == pytest.approx(0.4, abs=1e-5)
    middle = (found.box[:, :2] + found.box[:, 2:]) / 2
    size = found.box[:, 2:] - found.box[:, :2]
    assert size == pytest.approx(np.tile([200, 100], (169, 1)), abs=1e-3)
    assert np.unique(np.round(middle[:, 0])).tolist() == [32 + 64 * i for i in range(13)]
    assert np.unique(np.round(middle[:, 1])).tolist() == [8 + 16 * i for i in range(13)]


def test_classes_and_threshold_are_as_asked(one_layer: Path) -> None:
    image = [np.zeros((416, 416, 3), np.uint8)]
    both = plain(one_layer, class_names=("car", "person"), max_iou=1.0).detect(image)[0]
    assert sorted(set(both.class_id.tolist())) == [0, 1]
    assert both.score[both.class_id == 0] == pytest.approx(0.25, abs=1e-5)
    assert len(plain(one_layer, min_score=0.3, class_names=("car",)).detect(image)[0].score) == 0


def test_images_of_all_sizes_come_back_in_order(one_layer: Path) -> None:
    shapes = [(416, 416), (1, 1), (416, 416), (40, 12000), (1000, 3)]
    images: list[Image] = [np.zeros((*shape, 3), np.uint8) for shape in shapes]
    detector = plain(one_layer, min_score=0.0)
    for image, together in zip(images, detector.detect(images), strict=True):
        (alone,) = detector.detect([image])
        assert np.array_equal(together.box, alone.box)
        assert (together.box[:, 0] < image.shape[1]).all()


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (480, 640, (448, 608)),
        (1080, 1920, (416, 736)),
        (1920, 1080, (736, 416)),
        (800, 12000, (128, 2080)),
        (1, 12000, (32, 9120)),
        (12000, 1, (9120, 32)),
        (1, 1, (544, 544)),
    ],
)
def test_the_input_has_nearly_the_shape_of_the_image(height: int, width: int, expected: tuple[int, int]) -> None:
    assert fitting_size(height, width, INPUT_PIXELS) == expected


def test_what_cannot_be_is_refused(one_layer: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiples of 32"):
        plain(one_layer, input_size=(416, 400))
    with pytest.raises(InputError, match="COCO has no class 'ghost'"):
        plain(one_layer, class_names=("ghost",))
    with pytest.raises(InputError, match="without its embedding head"):
        plain(one_layer).detect_jointly([np.zeros((64, 64, 3), np.uint8)])
    stranger = tmp_path / "head.safetensors"
    EmbeddingHead(HeadShape("other", (8,), (2,), dimension=4)).save(stranger)
    with pytest.raises(FormatError, match="a head for other, not for yolov4-tiny"):
        YoloV4Tiny(one_layer, head=stranger)
    with pytest.raises(FormatError, match="finds 1 classes; COCO has 80"):
        plain(_of_one_class(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error(one_layer: Path) -> None:
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        YoloV4Tiny(one_layer, device="cuda")


@needs_weights
def test_boxes_and_embeddings_are_the_same_in_one_pass_in_batches_and_apart() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(3)]
    detector = YoloV4Tiny(min_score=0.0, device="cpu", input_size=(96, 128))
    assert isinstance(detector, JointDetector)
    joint = detector.detect_jointly(images)
    assert sum(len(found.score) for found in joint) > 5
    for image, found, separate in zip(images, joint, detector.detect(images), strict=True):
        assert np.array_equal(found.box, separate.box)
        assert found.embedding.shape == (len(found.box), detector.dimension)
        assert found.embedding.dtype == np.float32
        assert np.linalg.norm(found.embedding, axis=1) == pytest.approx(1, abs=1e-5)
        assert detector.embed(image, found.box) == pytest.approx(found.embedding, abs=1e-4)
    assert detector.embed(images[0], np.zeros((0, 4))).shape == (0, detector.dimension)


@needs_weights
def test_feature_maps_say_what_a_cell_covers() -> None:
    maps = YoloV4Tiny(embed=False, device="cpu").features([np.zeros((480, 640, 3), np.uint8)] * 2)
    assert maps.scale.tolist() == pytest.approx([608 / 640, 448 / 480])
    for feature, stride in zip(maps.maps, maps.strides, strict=True):
        assert feature.shape[0] == 2
        assert feature.shape[2:] == (448 // stride, 608 // stride)


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data (CVAT_SPAM_DATA)")
@needs_weights
def test_it_finds_people_in_real_video_and_knows_them_again() -> None:
    clip = Clip.open(CAMPUS)
    frames = range(0, clip.info.frame_count, 6)
    truth = read_ground_truth(CAMPUS / "gt" / "gt.txt", clip.info)
    rows = np.isin(truth.frame, frames)
    truth = replace(
        truth, **{f: getattr(truth, f)[rows] for f in ("track", "frame", "box", "class_id", "visibility", "ignored")}
    )
    detector = YoloV4Tiny(device="cpu")
    images = [clip.frame(frame) for frame in frames]
    recall, precision = recall_and_precision(
        JointDetectorSource(detector).detect_frames(images, frames, clip.info), truth
    )
    assert recall > 0.8
    assert precision > 0.3
    crops = choose_crops(truth, clip.info.frame_count)
    assert pair_auc(crops, embed_crops(crops, clip, detector), clip.info.frame_rate, 0.2).auc > 0.8


def _of_one_class(folder: Path) -> Path:
    write_all_kinds(folder)
    cfg = folder / "yolov4-tiny.cfg"
    text = cfg.read_bytes().replace(b"classes=80", b"classes=1").replace(b"filters=255", b"filters=18")
    cfg.write_bytes(text.replace(b"filters=170", b"filters=12"))
    weights = folder / "yolov4-tiny.weights"
    count = 5 + (8 * 4 + 8 * 27) + (6 * 4 + 6 * 36) + (18 + 18 * 14) + (12 + 12 * 28)
    weights.write_bytes(weights.read_bytes()[: 4 * count])
    return folder

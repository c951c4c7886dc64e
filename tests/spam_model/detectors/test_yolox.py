"""The YOLOX detector: checkpoints of all kinds, and boxes against the official export's."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spam_model.data.clip import Clip
from spam_model.detectors import yolox
from spam_model.detectors.coco import COCO_CLASSES
from spam_model.detectors.joint import JointDetector
from spam_model.detectors.letterbox import letterbox
from spam_model.detectors.onnx_yolox import OnnxYolox
from spam_model.detectors.yolox import Yolox
from spam_model.detectors.yolox_checkpoint import PixelFormat, read_checkpoint
from spam_model.detectors.yolox_network import SIZES, YoloxNetwork
from spam_model.errors import DeviceError, FormatError, InputError
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from tests.spam_model.detectors.published_yolox import published_nano
from tests.spam_model.detectors.shared import CAMPUS, YOLOX

State = dict[str, torch.Tensor]


def nano(class_count: int = 80, pixel_format: PixelFormat = PixelFormat.RAW) -> State:
    """Random parameters; the batch norms have seen noise of this format, the last layers are unsure of nothing."""
    torch.manual_seed(0)
    network = YoloxNetwork(replace(SIZES["nano"], class_count=class_count)).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    for layer in (*network.head.obj_preds, *network.head.cls_preds):
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        network(pixel_format.prepare(torch.randint(0, 256, (8, 3, 96, 96))))
    return network.state_dict()


def saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("yolox") / "people.pth", {"model": nano(1), "optimizer": {}})


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_batched_is_one_by_one_whatever_the_sizes(people: Path) -> None:
    detector = Yolox("nano", people, min_score=0.25, device="cpu", input_size=(160, 224))
    images = [noise(100, 300), noise(480, 640, 1), noise(1, 1), noise(40, 3000, 2)]
    together = detector.detect(images)
    assert [len(found.score) > 0 for found in together] == [True, True, True, True]
    for image, found in zip(images, together, strict=True):
        (alone,) = detector.detect([image])
        assert found.box == pytest.approx(alone.box, rel=1e-4, abs=1e-3)
        assert found.score == pytest.approx(alone.score, abs=1e-5)
        assert (np.diff(found.score) <= 0).all()
        assert detector.detect([image])[0].box.tolist() == alone.box.tolist()
    assert detector.detect([]) == []


def test_feature_maps_are_the_pyramid_of_the_letterboxed_images(people: Path) -> None:
    detector = Yolox("nano", people, device="cpu")
    images = [noise(104, 208, 1), noise(104, 208, 2)]
    found = detector.features(images)
    assert (found.strides, detector.channels) == ((8, 16, 32), (64, 128, 256))
    assert found.scale.tolist() == [2, 2]
    with torch.no_grad():
        expected = read_checkpoint(people, "nano").network.features(letterbox(images, (416, 416)).pixels.float())
    for given, wanted in zip(found.maps, expected, strict=True):
        assert given.shape == wanted.shape
        assert (given - wanted).abs().max() < 1e-3 * max(1, wanted.abs().max())
        assert wanted.std() > 0.1
    with pytest.raises(ValueError, match="one size"):
        detector.features([noise(10, 10), noise(10, 11)])


def test_boxes_embeddings_and_maps_come_from_one_pass(tmp_path: Path, people: Path) -> None:
    torch.manual_seed(0)
    name = f"yolox-nano:{people.name}"
    EmbeddingHead(HeadShape(name, (64, 128, 256), (8, 16, 32), dimension=8)).save(tmp_path / "head")
    options = {"min_score": 0.25, "device": "cpu", "input_size": (160, 224)}
    detector = Yolox("nano", people, head=tmp_path / "head", **options)
    assert isinstance(detector, JointDetector)
    images = [noise(100, 300), noise(48, 64, 1)]
    for image, plain, joint in zip(images, detector.detect(images), detector.detect_jointly(images), strict=True):
        assert joint.box.tolist() == plain.box.tolist()
        assert joint.embedding.shape == (len(plain.score), 8)
        assert np.linalg.norm(joint.embedding, axis=1) == pytest.approx(np.ones(len(plain.score)), abs=1e-5)
        assert joint.embedding == pytest.approx(detector.embed(image, plain.box), abs=1e-4)
        assert joint.embedding.std(axis=0).max() > 0.01
    assert detector.embed(images[0], np.zeros((0, 4))).shape == (0, 8)
    bare = Yolox("nano", people, **options)
    assert bare.dimension == 0
    assert bare.digest == detector.digest
    with pytest.raises(InputError, match="has no embedding head"):
        bare.detect_jointly(images)
    with pytest.raises(FormatError, match=f"a head for {name}, not for yolox-nano:other.pth"):
        Yolox("nano", saved(tmp_path / "other.pth", nano(1)), head=tmp_path / "head", **options)


def test_classes_go_by_name(tmp_path: Path, people: Path) -> None:
    path = saved(tmp_path / "coco.pth", {"model": nano(80)})
    image = [noise(200, 200)]
    options = {"min_score": 0.25, "max_iou": 1.0, "device": "cpu", "input_size": (128, 128)}
    detector = Yolox("nano", path, class_names=("car", "person"), **options)
    (both,) = detector.detect(image)
    (people_only,) = Yolox("nano", path, class_names=("person",), **options).detect(image)
    assert 3 < len(people_only.score) < len(both.score)
    assert both.score[both.class_id == 1].tolist() == people_only.score.tolist()
    with pytest.raises(InputError, match="finds no 'unicorn'; it finds person, bicycle"):
        Yolox("nano", path, class_names=("unicorn",), device="cpu")
    with pytest.raises(InputError, match="finds no 'car'; it finds person"):
        Yolox("nano", people, class_names=("person", "car"), device="cpu")


@pytest.mark.parametrize("pixel_format", PixelFormat)
@pytest.mark.parametrize(("count", "names"), [(1, ("person",)), (80, COCO_CLASSES)])
def test_a_checkpoint_says_what_it_takes_and_finds(
    tmp_path: Path, pixel_format: PixelFormat, count: int, names: tuple[str, ...]
) -> None:
    read = read_checkpoint(saved(tmp_path / "net.pth", {"model": nano(count, pixel_format=pixel_format)}), "nano")
    assert read.pixel_format is pixel_format
    assert read.class_names == names


@pytest.mark.shared_data
@pytest.mark.skipif(not (CAMPUS.is_dir() and YOLOX.is_file()), reason="no development data (CVAT_SPAM_DATA)")
@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_the_format_is_told_from_what_trained_filters_make_of_real_pixels(
    tmp_path: Path, pixel_format: PixelFormat
) -> None:
    network = published_nano(YOLOX)
    stem = network.backbone.backbone.stem.train()
    stem.conv.bn.momentum = 1.0
    stem(pixel_format.prepare(letterbox([Clip.open(CAMPUS).frame(0)], (416, 416)).pixels))
    assert read_checkpoint(saved(tmp_path / "net.pth", network.state_dict()), "nano").pixel_format is pixel_format


def test_pixels_are_prepared_as_the_checkpoints_want_them() -> None:
    pixels = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    assert PixelFormat.RAW.prepare(pixels).flatten().tolist() == [10, 20, 30]
    expected = [(30 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (10 / 255 - 0.406) / 0.225]
    assert PixelFormat.IMAGENET.prepare(pixels).flatten().tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("size", "pixel_format", "names", "expected"),
    [
        pytest.param("x", PixelFormat.IMAGENET, ("person",), (800, 1440), id="ByteTrack x"),
        pytest.param("s", PixelFormat.IMAGENET, ("person",), (608, 1088), id="ByteTrack s"),
        pytest.param("l", PixelFormat.IMAGENET, COCO_CLASSES, (640, 640), id="YOLOX 0.1.0"),
        pytest.param("m", PixelFormat.RAW, COCO_CLASSES, (640, 640), id="YOLOX 0.1.1"),
        pytest.param("tiny", PixelFormat.RAW, COCO_CLASSES, (416, 416), id="YOLOX 0.1.1, tiny"),
        pytest.param("s", PixelFormat.RAW, ("person",), (640, 640), id="our own, people only"),
    ],
)
def test_a_checkpoint_gets_the_input_that_it_was_trained_for(
    size: str, pixel_format: PixelFormat, names: tuple[str, ...], expected: tuple[int, int], people: Path
) -> None:
    read = replace(read_checkpoint(people, "nano"), pixel_format=pixel_format, class_names=names)
    assert yolox._trained_size(size, read) == expected


def test_another_input_may_be_asked_for(people: Path) -> None:
    wide = Yolox("nano", people, device="cpu", input_size=(96, 160))
    assert wide.features([noise(304, 544)]).maps[2].shape[2:] == (3, 5)
    with pytest.raises(InputError, match="multiples of 32"):
        Yolox("nano", people, device="cpu", input_size=(100, 160))


def _safetensors(state: State, path: Path) -> None:
    save_file({name: value.contiguous() for name, value in state.items()}, path)


def test_the_container_does_not_matter(tmp_path: Path) -> None:
    state = nano(1)
    _safetensors(state, tmp_path / "net.safetensors")
    saved(tmp_path / "bare.pth", state)
    saved(tmp_path / "old.pth", {name: value for name, value in state.items() if "num_batches" not in name})
    saved(tmp_path / "scored.pth", {"model": state, "curr_ap": np.float64(0.4), "best_ap": np.float64(0.5)})
    for path in tmp_path.iterdir():
        given = read_checkpoint(path, "nano").network.state_dict()
        assert all(given[name].equal(state[name]) for name in state if "num_batches" not in name), path.name


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("/tmp/never-made"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "not a checkpoint that can be read", id="empty"),
        pytest.param(b"no checkpoint", "not a checkpoint that can be read", id="something else"),
        pytest.param(b"PK\x03\x04" + b"0" * 200, "not a checkpoint that can be read", id="truncated"),
        pytest.param(pickle.dumps(Malicious(), protocol=2), "without running code", id="code in it"),
        pytest.param({"model": Malicious()}, "without running code", id="code in the model"),
        pytest.param([1, 2], "holds no parameters", id="a list"),
        pytest.param({"state_dict": {}}, "holds no parameters", id="another layout"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        saved(path, content)
    with pytest.raises(FormatError, match=message):
        read_checkpoint(path, "nano")
    assert not Path("/tmp/never-made").exists()


def test_a_checkpoint_that_does_not_fit_is_explained(tmp_path: Path) -> None:
    state = nano(1)
    path = tmp_path / "net.pth"

    def message(state: State, size: str = "nano") -> str:
        with pytest.raises(FormatError) as raised:
            read_checkpoint(saved(path, {"model": state}), size)
        return str(raised.value)

    other_size = message(state, "s")
    assert "no checkpoint of yolox-s (" in other_size
    assert "missing: backbone.backbone.dark2.0.conv.weight, " in other_size
    assert "unexpected: backbone.backbone.dark2.0.dconv.conv.weight, " in other_size
    assert "of another shape: backbone.backbone.stem.conv.conv.weight [16, 12, 3, 3] for [32, 12, 3, 3], " in other_size
    assert f"It is one of yolox-nano: use --detector yolox-nano:{path}" in other_size
    extra = message({**state, "head.reid.weight": torch.zeros(1)})
    assert "1 unexpected: head.reid.weight)." in extra
    assert "fits none of yolox-nano, tiny, s, m, l, x" in extra
    lacking = message({name: value for name, value in state.items() if name != "head.obj_preds.1.bias"})
    assert "1 missing: head.obj_preds.1.bias)." in lacking
    assert "finds 2 classes" in message(nano(2))
    assert "642 missing" not in message({"weight": torch.zeros(3)})  # batch counters are not missed


def test_what_is_not_there_is_named(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such checkpoint; `spam-model fetch-weights --list`"):
        Yolox("nano", tmp_path / "missing.pth", device="cpu")
    with pytest.raises(InputError, match="yolox-xxl: no such size; there are nano, tiny, s, m, l, x"):
        Yolox("xxl", people)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(DeviceError, match="--device cuda"):
        Yolox("nano", people, device="cuda")


def test_without_a_checkpoint_the_official_one_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "yolox_nano.pth", {"model": nano(80)})
    asked = []
    monkeypatch.setattr(yolox, "fetch_weights", lambda name: asked.append(name) or tmp_path)
    assert Yolox("nano", device="cpu").name == "yolox-nano"
    assert asked == ["yolox-nano"]


@pytest.mark.shared_data
@pytest.mark.skipif(not (CAMPUS.is_dir() and YOLOX.is_file()), reason="no development data (CVAT_SPAM_DATA)")
def test_boxes_are_those_of_the_official_export(tmp_path: Path) -> None:
    path = saved(tmp_path / "nano.pth", {"model": published_nano(YOLOX).state_dict()})
    options = {"class_names": ("person", "bicycle", "car"), "min_score": 0.03}
    ours, theirs = Yolox("nano", path, device="cpu", **options), OnnxYolox(YOLOX, device="cpu", **options)
    images = [image for _, image in Clip.open(CAMPUS).frames(0, 8)]
    for given, expected in zip(ours.detect(images), theirs.detect(images), strict=True):
        assert len(expected.score) > 10
        assert given.box == pytest.approx(expected.box, rel=1e-5, abs=1e-3)
        assert given.score == pytest.approx(expected.score, abs=1e-4)
        assert given.class_id.tolist() == expected.class_id.tolist()

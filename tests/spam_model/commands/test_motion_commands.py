"""``spam-model track``, ``train-motion`` and ``benchmark motion``, with eyes that see colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from spam_model.commands import track, train_motion
from spam_model.commands.benchmark import motion
from spam_model.data.motchallenge import read_rows
from spam_model.detectors.base import Detections
from spam_model.detectors.joint import JointDetections
from spam_model.motion.model import Backbone, MotionModel
from tests.spam_model.commands.folders import spam_model
from tests.spam_model.motion.worlds import HEIGHT, WIDTH, ColourEyes, PatchClip, straight

FRAMES = 12


@pytest.fixture
def clip() -> PatchClip:
    return PatchClip(np.concatenate([straight(FRAMES, (40, 40), (3, 0)), straight(FRAMES, (120, 80), (-3, 0))]))


@pytest.fixture
def folder(clip: PatchClip, tmp_path: Path) -> Path:
    """The clip as a MOTChallenge folder with images."""
    folder = tmp_path / "patches"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    rows = []
    for number, image in clip.frames():
        cv2.imwrite(str(folder / "img1" / f"{number + 1:06}.png"), image)
        for row, (x1, y1, x2, y2) in enumerate(clip.boxes(number)):
            rows.append(f"{number + 1},{row + 1},{x1 + 1},{y1 + 1},{x2 - x1},{y2 - y1},1,1,1\n")
    (folder / "gt" / "gt.txt").write_text("".join(rows))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=patches\nframeRate=10\nseqLength={FRAMES}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    )
    return folder


@pytest.fixture
def eyes(clip: PatchClip, monkeypatch: pytest.MonkeyPatch) -> ColourEyes:
    found = [
        JointDetections(clip.boxes(frame), np.full(2, 0.9), np.zeros(2, np.int64), np.eye(2, 4, dtype=np.float32))
        for frame in range(FRAMES)
    ]
    eyes = ColourEyes(found)
    for command in (track, train_motion, motion):
        monkeypatch.setattr(command, "create_detector", lambda *_, **__: eyes)
    return eyes


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "motion.safetensors"
    MotionModel(Backbone("colours", ColourEyes.strides, ColourEyes.channels), channels=8).save(path)
    return path


@pytest.mark.parametrize("tracker", ["siammot", "tdt"])
def test_track_writes_motchallenge_rows_and_one_json_object(
    capsys: pytest.CaptureFixture[str],
    clip: PatchClip,
    folder: Path,
    eyes: ColourEyes,
    weights: Path,
    tmp_path: Path,
    tracker: str,
) -> None:
    outcome = spam_model(
        capsys, "track", folder, "--tracker", tracker, "-o", tmp_path / "out", "--motion", weights, "--json"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.json["frames"] == FRAMES
    labels = read_rows(tmp_path / "out" / "patches.txt", clip.info)
    assert len(labels) == outcome.json["boxes"] == 2 * FRAMES
    assert outcome.json["tracks"] == 2
    first = labels.box[labels.frame == 0]
    assert first[np.argsort(first[:, 0])] == pytest.approx(clip.boxes(0), abs=0.01)


def test_trained_weights_are_of_the_detectors_maps_and_can_be_measured(
    capsys: pytest.CaptureFixture[str], folder: Path, eyes: ColourEyes, tmp_path: Path
) -> None:
    path = tmp_path / "trained.safetensors"
    outcome = spam_model(capsys, "train-motion", folder, "-o", path, "--steps", 2, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["steps"] == 2
    assert outcome.json["frames"] == FRAMES
    assert f"train-motion {folder}" in outcome.json["command"]
    assert MotionModel.load(path).backbone.name == "colours"
    outcome = spam_model(capsys, "benchmark", "motion", folder, "--motion", path, "--json", "--history", 2)
    assert outcome.code == 0, outcome.err
    result = outcome.json["sequences"]["patches"]
    assert result["iou"]["constant velocity"]["5"] == pytest.approx(1.0)  # they do move at constant velocity
    assert result["boxes"] == {"1": 4, "5": 2, "15": 0, "30": 0}
    assert result["iou"]["EMM"]["15"] is None
    table = spam_model(capsys, "benchmark", "motion", folder, "--motion", path)
    assert table.code == 0
    assert "constant velocity  " in table.out


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["track", "{folder}", "-o", "{out}", "--birth", "2"], "between 0 and 1"),
        (["track", "{folder}", "-o", "{out}", "--motion", "{out}/none"], "cannot read"),
        (["track", "{folder}/nothing", "-o", "{out}"], "no such file"),
        (["train-motion", "{out}", "-o", "{out}/w"], "no such folder"),
        (["train-motion", "{folder}", "-o", "{out}/w", "--minutes", "0"], "more than 0"),
        (["benchmark", "motion", "{folder}", "--every", "0"], "1 or more"),
    ],
)
def test_what_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    eyes: ColourEyes,
    tmp_path: Path,
    command: list[str],
    complaint: str,
) -> None:
    outcome = spam_model(capsys, *(part.format(folder=folder, out=tmp_path / "out") for part in command))
    assert outcome.code == 2
    assert complaint in outcome.complaint


def test_a_detector_without_feature_maps_is_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Plain:
        name, device, class_names = "plain", "cpu", ("patch",)

        def detect(self, images: object) -> list[Detections]:
            return []

    for command in (track, train_motion, motion):
        monkeypatch.setattr(command, "create_detector", lambda *_, **__: Plain())
    for words in (
        ["track", folder, "-o", tmp_path],
        ["train-motion", folder, "-o", tmp_path],
        ["benchmark", "motion", folder],
    ):
        outcome = spam_model(capsys, *words)
        assert outcome.code == 2
        assert "feature maps" in outcome.complaint

"""``spam-model benchmark detect`` and ``appearance``, from a folder to a table or one JSON object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spam_model.appearance.colour_histogram import ColourHistogram
from spam_model.commands.benchmark import appearance, detect
from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.detectors.detect_clip import detect_clip
from spam_model.detectors.sources import ImageDetectorSource
from spam_model.errors import InputError
from spam_model.evaluation import evaluate
from spam_model.labeler import Labeler
from tests.spam_model.commands.folders import spam_model
from tests.spam_model.detectors.shared import CAMPUS, BlobDetector, write_blobs

FRAMES = 15


class PersonDetector(BlobDetector):
    class_names = ("person",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("blobs") / "BLOBS", FRAMES)


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """``--detector`` gives one that finds bright rectangles; what it was made with."""
    asked: list[dict[str, Any]] = []

    def create(spec: str, **settings: Any) -> PersonDetector:
        if not spec.startswith("blobs"):
            raise InputError(f"--detector {spec}: no such detector")
        asked.append({"spec": spec, **settings})
        return PersonDetector()

    monkeypatch.setattr(detect, "create_detector", create)
    return asked


def test_every_detector_is_measured_on_every_sequence(
    folder: Path, tmp_path: Path, blobs: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_blobs(tmp_path / "OTHER", 5)
    outcome = spam_model(
        capsys, "benchmark", "detect", folder, other, "--detector", "blobs", "--detector", "blobs:2+none", "--json"
    )
    assert outcome.code == 0
    rows = outcome.json["rows"]
    assert [(row["sequence"], row["appearance"]) for row in rows] == [
        ("BLOBS", "colour-histogram"),
        ("OTHER", "colour-histogram"),
        ("BLOBS", "none"),
        ("OTHER", "none"),
    ]
    first = rows[0]
    found = 14 / 15  # none in frame 5
    assert first["recall"] == pytest.approx(found)
    assert first["ap50"] == pytest.approx(94 / 101)
    assert first["candidates_per_frame"] == pytest.approx(2 * found)
    assert rows[1]["ap50"] == 1
    assert all(row["frames_per_second"] > 0 and row["box_frames_per_second"] > 0 for row in rows)
    assert first["hota"] is None
    assert [asked["min_score"] for asked in blobs] == [0.05, 0.05]


def test_against_says_how_many_times_faster(
    folder: Path, blobs: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = (
        "benchmark",
        "detect",
        folder,
        "--detector",
        "blobs+none",
        "--against",
        "blobs+colour-histogram",
        "--labels",
    )
    result = spam_model(capsys, *argv, "--json").json
    fast, slow = result["rows"]
    (ratio,) = result["against"]
    assert ratio["times_faster"] == pytest.approx(fast["frames_per_second"] / slow["frames_per_second"])
    assert (ratio["detector"], ratio["against"]) == ("blobs+none", "blobs+colour-histogram")
    candidates = detect_clip(ImageDetectorSource(PersonDetector(), ColourHistogram()), Clip.open(folder))
    scores = evaluate(read_truth(folder), Labeler.load().label(candidates).labels)
    assert (slow["hota"], slow["idf1"]) == pytest.approx((scores.hota, scores.idf1))
    shown = spam_model(capsys, *argv).out.splitlines()
    assert shown[0].split()[-2:] == ["HOTA", "IDF1"]
    assert shown[-1].startswith("blobs+none: ")


def test_each_appearance_model_is_measured_at_each_gap(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("benchmark", "appearance", folder, "--appearance", "colour-histogram", "--appearance", "none")
    rows = spam_model(capsys, *argv, "--gaps", "0.3,9", "--json").json["rows"]
    assert [row["appearance"] for row in rows] == ["colour-histogram", "none"]
    assert [(row["crops"], row["identities"], row["dimension"]) for row in rows] == [(30, 2, 96), (30, 2, 0)]
    near, far = rows[0]["gaps"]
    pairs = sum(FRAMES - gap for gap in range(3, FRAMES))
    assert (near["same"], near["different"]) == (2 * pairs, 2 * pairs)
    assert near["auc"] > 0.9  # all but the black crops of frame 5
    assert rows[1]["gaps"][0]["auc"] == 0.5
    assert (far["auc"], far["same"]) == (None, 0)
    shown = spam_model(capsys, *argv, "--gaps", "0.3,9").out.splitlines()
    assert shown[2].split()[-2:] == [f"{100 * near['auc']:.1f}", "–"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["detect", "--detector", "yolo"], "--detector yolo: no such detector"),
        (["detect", "--detector", "blobs+best"], "--appearance best: no such appearance model; use auto"),
        (["detect", "--detector", "blobs+joint"], "blobs has no embedding head; use joint:yolov4-tiny"),
        (["detect", "--detector", "blobs", "--batch", "0"], "--batch 0: at least one frame"),
        (["detect", "--detector", "blobs", "--min-score", "0.3"], "--min-score 0.3: give 0 … 0.1"),
        (["appearance", "--appearance", "joint"], "what finds the boxes here has no embedding head"),
        (["appearance", "--gaps", "long"], "--gaps long: give numbers"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_work(
    folder: Path,
    blobs: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
) -> None:
    for module, work in ((detect, "measure_eyes"), (appearance, "embed_crops")):
        monkeypatch.setattr(module, work, None)
    outcome = spam_model(capsys, "benchmark", argv[0], folder, *argv[1:])
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.complaint


def test_a_sequence_without_boxes_or_frames_is_named(
    tmp_path: Path, blobs: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_blobs(tmp_path / "EMPTY", 6)
    (folder / "gt" / "gt.txt").write_text("1,1,1,1,5,5,0,3,1\n")
    outcome = spam_model(capsys, "benchmark", "detect", folder, "--detector", "blobs")
    assert "has no box to find" in outcome.complaint
    for image in (folder / "img1").iterdir():
        image.unlink()
    outcome = spam_model(capsys, "benchmark", "appearance", folder)
    assert (outcome.code, "neither a video nor an image" in outcome.complaint) == (2, True)


@pytest.mark.shared_data
@pytest.mark.skipif(not CAMPUS.is_dir(), reason="no development data at ../shared; set CVAT_SPAM_DATA")
def test_colour_histograms_on_a_real_video_are_what_they_were_measured_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = spam_model(capsys, "benchmark", "appearance", CAMPUS, "--gaps", "0.2,0.5,1", "--json").json["rows"]
    assert [gap["auc"] for gap in row["gaps"]] == pytest.approx([0.84, 0.82, 0.79], abs=0.01)
    assert np.all(np.diff([gap["same"] for gap in row["gaps"]]) < 0)


def test_colour_histograms_are_the_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = spam_model(capsys, "benchmark", "appearance", folder, "--json").json["rows"]
    assert row["model"] == ColourHistogram.name

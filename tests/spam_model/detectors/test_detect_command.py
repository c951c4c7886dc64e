"""``spam-model detect`` and ``--detector``, end to end."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spam_model.commands import detect
from spam_model.data.rendered import render_clip
from spam_model.detectors.registry import create_detector, create_source
from spam_model.errors import FormatError, InputError
from spam_model.storage import read_candidates


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(tmp_path_factory.mktemp("clip") / "street", frames=12, width=320, height=180)


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    detect.add_parser(parser.add_subparsers())
    args = parser.parse_args(["detect", *map(str, arguments)])
    return int(args.run(args))


def test_a_clip_becomes_a_candidates_file_with_embeddings(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "candidates.safetensors"
    assert run(folder, "-o", out, "--detector", "simulated", "--seed", 3, "--json") == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    candidates = read_candidates(out)
    assert summary["detector"] == "simulated"
    assert (summary["frames"], summary["candidates"], summary["embedding_size"]) == (12, len(candidates), 96)
    assert candidates.info.name == "street"
    assert len(candidates) > 12
    assert np.linalg.norm(candidates.embedding, axis=1) == pytest.approx(1, abs=1e-5)


def test_without_json_stdout_stays_empty_and_stderr_names_the_detector(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, "-o", tmp_path / "c.safetensors", "--detector", "simulated")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "(simulated, device none" in printed.err


def test_a_sequence_without_pixels_gives_its_file_without_embeddings(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "street"
    (bare / "det").mkdir(parents=True)
    shutil.copy(folder / "seqinfo.ini", bare)
    (bare / "det" / "det.txt").write_text("1,-1,5,6,20,40,0.9,-1,-1,-1\n3,-1,5,6,20,40,0.05,-1,-1,-1\n")
    run(bare, "-o", tmp_path / "c.safetensors", "--detector", "file", "--min-score", 0.01)
    candidates = read_candidates(tmp_path / "c.safetensors")
    assert candidates.embedding.shape == (2, 0)
    assert candidates.box[0].tolist() == [4, 5, 24, 45]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("yolo", "no such detector; use yolov4-tiny, onnx-yolox:PATH"),
        ("onnx-yolox", "no such detector"),
        ("onnx-yolox:missing.onnx", "no such model file"),
        ("file", "needs a MOTChallenge sequence folder with det/det.txt"),
    ],
)
def test_a_detector_that_is_not_there_is_named(folder: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_source(spec, folder=folder)


def test_a_threshold_beyond_any_score_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="between 0 and 1, not at 10"):
        create_source("simulated", folder=folder, min_score=10)


def test_simulated_needs_ground_truth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs a MOTChallenge sequence folder with gt/gt\.txt"):
        create_source("simulated", folder=tmp_path)


@pytest.mark.parametrize("spec", ["file", "simulated"])
def test_what_does_not_look_at_images_is_no_detector(spec: str) -> None:
    with pytest.raises(InputError, match="no such detector"):
        create_detector(spec)


def test_a_detection_file_that_does_not_fit_the_clip_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("99,-1,5,6,20,40,0.9,-1,-1,-1\n")
    with pytest.raises(FormatError, match="frame is outside"):
        run(folder, "-o", tmp_path / "c.safetensors", "--detector", f"file:{path}")

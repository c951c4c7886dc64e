"""``spam-model detect`` and ``--detector``, end to end."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spam_model import storage
from spam_model.commands import detect
from spam_model.data.rendered import render_clip
from spam_model.detectors.registry import create_detector, create_source
from spam_model.errors import FormatError, InputError
from spam_model.storage import read_candidates
from tests.spam_model.detectors.shared import assert_same


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(tmp_path_factory.mktemp("clip") / "street", frames=12, width=320, height=180)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cvat-spam" / "candidates"


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


def summary_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert run(*arguments, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def test_a_repeat_is_the_same_from_the_cache_without_a_look_at_the_video(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (tmp_path / f"{name}.safetensors" for name in ("first", "second", "third"))
    summary = summary_of(capsys, folder, "-o", first, "--detector", "simulated", "--camera")
    assert (summary["frames_from_cache"], summary["camera"]) == (0, True)
    assert summary["frames_per_second"] > 0
    monkeypatch.setattr(detect.Clip, "open", None)
    again = summary_of(capsys, folder, "-o", second, "--detector", "simulated", "--camera")
    assert (again["frames_from_cache"], again["frames_per_second"], again["camera"]) == (12, None, True)
    assert_same(read_candidates(first), read_candidates(second))
    assert np.array_equal(read_candidates(first).camera, read_candidates(second).camera)
    plain = summary_of(capsys, folder, "-o", third, "--detector", "simulated")
    assert (plain["frames_from_cache"], plain["camera"]) == (12, False)
    assert read_candidates(third).camera is None


@pytest.mark.parametrize(
    "other",
    [("--seed", 1), ("--min-score", 0.3), ("--appearance", "none"), ("--frame-rate", 12), ("--no-cache",)],
    ids=lambda other: other[0],
)
def test_under_other_settings_all_is_found_anew(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: tuple[object, ...]
) -> None:
    argv = (folder, "-o", tmp_path / "c.safetensors", "--detector", "simulated")
    summary_of(capsys, *argv)
    assert summary_of(capsys, *argv, *other)["frames_from_cache"] == 0


def test_no_cache_leaves_nothing_behind(folder: Path, tmp_path: Path, cache: Path) -> None:
    run(folder, "-o", tmp_path / "c.safetensors", "--detector", "simulated", "--no-cache")
    assert not cache.exists()


def test_a_changed_ground_truth_is_another_simulated_detector(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "street"))
    argv = (copy, "-o", tmp_path / "c.safetensors", "--detector", "simulated")
    summary_of(capsys, *argv)
    rows = (copy / "gt" / "gt.txt").read_text().splitlines(keepends=True)
    (copy / "gt" / "gt.txt").write_text("".join(rows[:-1]))
    assert summary_of(capsys, *argv)["frames_from_cache"] == 0


def test_without_an_appearance_model_embeddings_have_no_numbers(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.safetensors"
    summary = summary_of(capsys, folder, "-o", out, "--detector", "simulated", "--appearance", "none")
    assert (summary["appearance"], summary["embedding_size"]) == ("none", 0)
    assert read_candidates(out).embedding.shape == (summary["candidates"], 0)


def test_a_full_disk_is_named_and_the_old_output_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c.safetensors"
    out.write_bytes(b"of yesterday")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*c\.safetensors: No space left on device"):
        run(folder, "-o", out, "--detector", "simulated")
    assert out.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_json_stdout_stays_empty_and_stderr_names_the_detector(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, "-o", tmp_path / "c.safetensors", "--detector", "simulated")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "(simulated, appearance colour-histogram, device none" in printed.err


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
        ("yolo", "no such detector; use yolov4-tiny"),
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

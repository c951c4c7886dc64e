from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from spam_model.commands import finetune_detector, train_detector
from spam_model.data.clip import Clip
from spam_model.data.motchallenge import write_rows
from spam_model.detector_training import finetune as module
from spam_model.detector_training.batches import BatchStream
from spam_model.detector_training.finetune import (
    Change,
    Finetuned,
    Quality,
    at_frames,
    finetune,
    split_frames,
    truth_of_boxes,
)
from spam_model.detector_training.loop import Schedule
from spam_model.detector_training.samples import Boxes
from spam_model.detectors.registry import create_detector
from spam_model.detectors.small import HEAD_SUFFIX, Small
from spam_model.detectors.small_network import small_network
from spam_model.detectors.trained_weights import write_trained
from spam_model.errors import InputError
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from spam_model.values import ClipInfo, Constraints, Labels
from tests.spam_model.detector_training.test_data_sets import people_folder

FRAMES = 6


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIXELS", 64 * 64)
    monkeypatch.setattr(BatchStream, "in_background", lambda self: self)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "before.safetensors"
    write_trained(path, "small", small_network(), {})
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sequence of six images of one bright rectangle that moves, with ground truth."""
    folder = tmp_path / "clip"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    rows = []
    for frame in range(FRAMES):
        image = np.full((64, 64, 3), 30, np.uint8)
        image[10:50, 5 + 4 * frame : 25 + 4 * frame] = 220
        cv2.imwrite(str(folder / "img1" / f"{frame + 1:06}.png"), image)
        rows.append(f"{frame + 1},1,{6 + 4 * frame},11,20,40,1,1,1\n")
    (folder / "gt" / "gt.txt").write_text("".join(rows))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=clip\nimDir=img1\nframeRate=10\nseqLength={FRAMES}\nimWidth=64\nimHeight=64\nimExt=.png\n"
    )
    return folder


def labels(info: ClipInfo) -> Labels:
    frame = np.arange(FRAMES)
    box = np.stack([5.0 + 4 * frame, np.full(FRAMES, 10.0), 25.0 + 4 * frame, np.full(FRAMES, 50.0)], axis=1)
    return Labels.build(info, np.ones(FRAMES, np.int64), frame, box, score=np.full(FRAMES, 0.9))


def test_the_last_frames_are_held_out() -> None:
    trained, held_out = split_frames(10, 0.3)
    assert trained.tolist() == list(range(7))
    assert held_out.tolist() == [7, 8, 9]
    trained, held_out = split_frames(100_000, 0.3)
    assert (len(trained), len(held_out)) == (module.MOST_FRAMES, module.MOST_HELD_OUT)
    assert trained[0] == 0
    assert trained[-1] == 69_999
    assert held_out[[0, -1]].tolist() == [70_000, 99_999]


@pytest.mark.parametrize(
    ("count", "holdout", "message"), [(10, 0.0, "more than 0"), (10, 1.0, "less than 1"), (1, 0.3, "too short")]
)
def test_both_parts_need_a_frame(count: int, holdout: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_frames(count, holdout)


def test_labels_stand_in_for_truth() -> None:
    info = ClipInfo("clip", 9, 10.0, 64, 64)
    a, b = np.array([[0.0, 0, 5, 5]]), np.array([[9.0, 9, 15, 15]])
    truth = truth_of_boxes(info, [Boxes.build(a, ignore=b), Boxes.build(np.zeros((0, 4))), Boxes.build(b)])
    assert truth.frame.tolist() == [0, 0, 2]
    assert truth.ignored.tolist() == [False, True, False]
    assert truth.info.frame_count == 3
    part = at_frames(truth, np.array([2]))
    assert part.frame.tolist() == [0]
    assert part.box.tolist() == b.tolist()


def test_the_rule_is_the_mean_average_precision_on_labels() -> None:
    def result(before: Quality, after: Quality) -> Finetuned:
        return Finetuned("small:a", Path("b"), Change(before, after), None, 1, 1, 1)

    assert result(Quality(1.0, 0.5), Quality(0.9, 0.6)).is_better
    assert not result(Quality(0.8, 0.5), Quality(0.9, 0.5)).is_better


def test_a_detector_is_retrained_judged_and_loads_again(folder: Path, weights: Path, tmp_path: Path) -> None:
    clip = Clip.open(folder)
    out = tmp_path / "after.safetensors"
    result = finetune(
        clip, labels(clip.info), Constraints(), f"small:{weights}", out, schedule=Schedule(steps=2), holdout=0.5
    )
    assert (result.trained_frames, result.held_out_frames, result.steps) == (3, 3, 2)
    assert result.on_truth is None
    assert result.detector == (f"small:{out}" if result.is_better else f"small:{weights}")
    assert create_detector(f"small:{out}").detect([clip.frame(0)])[0].box.shape[1] == 4


def test_the_small_detectors_embedding_head_goes_with_it_and_skipped_frames_are_not_read(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    clip = Clip.open(folder)
    EmbeddingHead(HeadShape("small", (8, 8, 8), (8, 16, 32), dimension=4)).save(weights.with_suffix(HEAD_SUFFIX))
    out = tmp_path / "after.safetensors"
    known, spec = labels(clip.info), f"small:{weights}"
    one_step = Schedule(steps=1)
    result = finetune(clip, known, Constraints(), spec, out, schedule=one_step, holdout=0.5, skipped=(0, 4, 5))
    assert (result.trained_frames, result.held_out_frames) == (2, 1)
    assert Small(out).dimension == 4
    with pytest.raises(InputError, match="all frames of a part are skipped"):
        finetune(clip, known, Constraints(), spec, out, schedule=one_step, holdout=0.5, skipped=range(3, 6))


def test_without_a_label_there_is_nothing_to_learn(folder: Path, weights: Path, tmp_path: Path) -> None:
    clip = Clip.open(folder)
    with pytest.raises(InputError, match="written as safetensors"):
        finetune(clip, labels(clip.info), Constraints(), f"small:{weights}", tmp_path / "out.pth")
    none, early = (labels(clip.info).take(np.array([row])) for row in (5, 0))
    with pytest.raises(InputError, match="clip: no label on its first 3 frames"):
        finetune(clip, none, Constraints(), f"small:{weights}", tmp_path / "out.safetensors", holdout=0.5)
    with pytest.raises(InputError, match="clip: no label on the 3 frames held out"):
        finetune(clip, early, Constraints(), f"small:{weights}", tmp_path / "out.safetensors", holdout=0.5)


def parsed(module: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())  # type: ignore[attr-defined]
    return parser.parse_args(list(words))


def test_the_finetune_command_reports_truth_apart(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "clip.txt"
    write_rows(labels(Clip.open(folder).info), rows)
    out = tmp_path / "new" / "after.safetensors"
    words = ["finetune-detector", str(folder), "--labels", str(rows), "-o", str(out), "--detector", f"small:{weights}"]
    args = parsed(finetune_detector, *words, "--steps", "1", "--holdout", "0.5", "--device", "cpu")
    assert args.run(args) == 0
    said = capsys.readouterr()
    assert said.out.strip() in (f"small:{weights}", f"small:{out}")
    assert "against labels and answers: AP50" in said.err
    assert "against ground truth: AP50" in said.err
    args.json = True
    assert args.run(args) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weights"] == str(out)
    assert set(report["on_truth"]) == {"before", "after"}


def test_the_small_detector_is_trained_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = people_folder(tmp_path, "a.jpg,1,2,21,32,-1,human,1.0\n")
    out = tmp_path / "out"
    words = ["train-detector", "--data", "people", str(data), "2", "--steps", "1", "--batch", "2", "--size", "64x64"]
    args = parsed(train_detector, *words, "--out", str(out), "--json", "--device", "cpu")
    assert args.run(args) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["steps"] == 1
    assert f"--data people {data} 2 --steps 1 --batch 2 --size 64x64" in about["command"]
    assert create_detector(f"small:{about['weights']}").class_names == ("person",)
    args.resume = True
    assert args.run(args) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "people", "nowhere"], "nowhere"),
        (["--data", "pictures", "x"], "give people DIR"),
        (["--data", "rendered", "1", "often"], "one number, the weight"),
        (["--data", "rendered", "1", "-1"], "more than 0"),
        (["--data", "people", "x", "--minutes", "0"], "more than nothing"),
        (["--data", "people", "x", "--batch", "0"], "one image or more"),
    ],
)
def test_what_cannot_be_trained_on_is_said_first(words: list[str], message: str, tmp_path: Path) -> None:
    args = parsed(train_detector, "train-detector", *words, "--out", str(tmp_path / "out"))
    with pytest.raises(InputError, match=message):
        args.run(args)

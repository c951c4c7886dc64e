from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from spam_model.appearance import reid_data
from spam_model.appearance.recipes import RECIPES
from spam_model.appearance.reid_batches import batch_rows, batches
from spam_model.appearance.reid_data import open_crops
from spam_model.errors import InputError
from tests.spam_model.appearance.crops_of import SIZE, market_folder, people, person

RECIPE = replace(RECIPES["msmt17"], identities=3, images=4)


def sequence(folder: Path, tracks: int, frames: int) -> Path:
    """Frames of 200 × 90 px in which person k stands in column k; the last one is a distractor, of class 8."""
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=25\nseqLength={frames}\nimWidth=200\nimHeight=90\nimExt=.jpg\n"
    )
    rows = []
    for frame in range(frames):
        image = np.zeros((90, 200, 3), np.uint8)
        for track in range(tracks):
            image[10:74, 10 + 40 * track : 42 + 40 * track] = person(track, frame)
            kind = "0,8" if track == tracks - 1 else "1,1"
            rows.append(f"{frame + 1},{track + 1},{11 + 40 * track},11,32,64,{kind},1.0")
        cv2.imwrite(str(folder / "img1" / f"{frame + 1:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    (folder / "gt" / "gt.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_a_folder_of_crops_is_read_by_their_names_without_nobody(tmp_path: Path) -> None:
    crops = open_crops(market_folder(tmp_path, 3, 4), SIZE)
    assert crops.identity.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert crops.identities == 3
    assert np.abs(crops.read(5).astype(float) - person(2, 1)).mean() < 12  # JPEG, of noise


def test_of_a_whole_market_release_the_training_part_is_read(tmp_path: Path) -> None:
    market_folder(tmp_path / "bounding_box_train", 2, 2)
    market_folder(tmp_path / "bounding_box_test", 5, 2)
    assert open_crops(tmp_path, SIZE).identities == 2


def test_msmt17_counts_its_people_from_zero(tmp_path: Path) -> None:
    for identity in range(3):
        folder = tmp_path / "train" / f"{identity:04d}"
        folder.mkdir(parents=True)
        for view in range(2):
            cv2.imwrite(str(folder / f"{identity:04d}_{view:03d}_01_0303morning_0015_0.jpg"), person(identity, view))
    crops = open_crops(tmp_path, (128, 64))
    assert crops.identity.tolist() == [0, 0, 1, 1, 2, 2]
    assert crops.read(0).shape == (128, 64, 3)


def test_crops_are_cut_from_sequences_without_distractors(tmp_path: Path) -> None:
    sequence(tmp_path / "A", 3, 3)
    sequence(tmp_path / "B", 4, 2)
    crops = open_crops(tmp_path, SIZE)
    assert crops.identity.tolist() == [0] * 3 + [1] * 3 + [2] * 2 + [3] * 2 + [4] * 2  # no one is in both
    assert np.abs(crops.read(4).astype(float) - person(1, 1)).mean() < 12
    alone = open_crops(tmp_path / "A", SIZE)
    assert alone.identities == 2
    assert (alone.read(4) == crops.read(4)).all()


def test_of_a_long_track_some_crops_are_taken_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reid_data, "MOST_CROPS", 3)
    crops = open_crops(sequence(tmp_path / "A", 3, 9), SIZE)
    assert np.bincount(crops.identity).tolist() == [3, 3]
    for index, frame in enumerate((0, 4, 8)):
        assert np.abs(crops.read(index).astype(float) - person(0, frame)).mean() < 12


def test_motsynth_is_found_with_its_frames(tmp_path: Path) -> None:
    made = sequence(tmp_path / "made", 3, 3)
    annotations = tmp_path / "release" / "mot_annotations" / "007"
    shutil.copytree(made / "gt", annotations / "gt")
    shutil.copy(made / "seqinfo.ini", annotations)
    rows = np.loadtxt(made / "gt" / "gt.txt", delimiter=",")
    rows[:, 0] -= 1  # frames count from 0 there
    np.savetxt(annotations / "gt" / "gt.txt", np.hstack([rows, np.zeros((len(rows), 3))]), "%g", ",")
    shutil.copytree(made / "img1", tmp_path / "release" / "frames" / "007" / "rgb")
    crops = open_crops(tmp_path / "release", SIZE)
    assert crops.identities == 2
    assert np.abs(crops.read(4).astype(float) - person(1, 1)).mean() < 12


def test_identities_may_be_left_out() -> None:
    crops = people(5, 2)
    kept = crops.of_identities(np.array([1, 4]))
    assert kept.identity.tolist() == [0, 0, 1, 1]
    assert (kept.read(2) == crops.read(8)).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "no crops named as in Market-1501"),
        (lambda folder: market_folder(folder, 1, 5), "fewer than two identities"),
        (lambda folder: market_folder(folder, 5, 1), "fewer than two identities"),
    ],
    ids=["nothing", "empty", "one person", "one crop each"],
)
def test_what_cannot_be_learned_from_is_said(make, said: str, tmp_path: Path) -> None:
    make(tmp_path / "data")
    with pytest.raises(InputError, match=said):
        open_crops(tmp_path / "data", SIZE)


def test_a_crop_that_does_not_decode_is_named(tmp_path: Path) -> None:
    market_folder(tmp_path, 2, 2)
    (tmp_path / "0001_c1s1_000000_01.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"0001_c1s1_000000_01\.jpg: does not decode"):
        open_crops(tmp_path, SIZE).read(0)


def test_a_batch_holds_some_crops_of_each_of_some_people() -> None:
    identity = np.repeat(np.arange(6), [2, 9, 5, 4, 8, 30])
    for step in range(50):
        rows = batch_rows(identity, RECIPE, seed=1, step=step)
        shown, count = np.unique(identity[rows], return_counts=True)
        assert len(shown) == 3
        assert (count == 4).all()
        enough = ~np.isin(identity[rows], [0])
        assert len(np.unique(rows[enough])) == enough.sum()  # none twice where there are enough
    seen = np.concatenate([batch_rows(identity, RECIPE, 1, step) for step in range(200)])
    assert len(np.unique(seen)) == len(identity)


def test_batches_begin_anywhere_and_come_out_the_same() -> None:
    crops = people(4, 4)
    supply = batches(crops, RECIPE, seed=3, first=0)
    whole = [next(supply) for _ in range(4)]
    supply.close()
    later = batches(crops, RECIPE, seed=3, first=2)
    for (expected, shown), (images, identity) in zip(whole[2:], later, strict=False):
        assert (images == expected).all()
        assert (identity == shown).all()
    later.close()


def test_too_few_people_for_a_batch_are_said() -> None:
    with pytest.raises(InputError, match="2 identities to train on, a batch takes 3; lower --identities"):
        next(batches(people(2, 4), RECIPE, 0, 0))

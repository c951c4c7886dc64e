from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spam_model.data.kitti import CLASSES, read_detections, read_ground_truth, read_sequence_info
from spam_model.errors import FormatError, InputError

CARS = """0,2,298.5,165.25,458.5,293.5,8.3,1.96,1.81,4.75,-4.57,1.84,13.53,-2.11,-1.78
3,2,100.0,150.0,200.0,220.0,-0.8473,1.5,1.6,4.0,13.6,1.6,18.4,-0.1,-0.7
"""
PEOPLE = "0,1,1095.0,161.0,1212.0,321.0,4.9,1.76,0.72,0.95,6.31,1.64,8.49,-1.45,-2.08\n"
LABELS = """0 -1 DontCare -1 -1 -10.0 219.3 188.4 245.5 218.5 -1000.0 -1000.0 -1000.0 -10.0 -1.0 -1.0 -1.0
0 1 Cyclist 0 0 -1.9 737.6 161.5 931.1 374.0 1.7 0.8 1.7 1.6 1.6 5.7 -1.6
1 7 Car 0 2 -1.7 300.0 160.0 455.0 292.0 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1
0 7 Car 0 0 -1.7 296.0 161.0 455.0 292.0 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1
0 3 Van 0 0 -1.7 10.0 161.0 95.0 292.0 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1
4 9 Pedestrian 0 1 -1.7 500.0 161.0 555.0 292.0 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sequence = tmp_path / "0042"
    for name, text in (("det/rcnn_Car", CARS), ("det/rcnn_Pedestrian", PEOPLE), ("gt/label_02", LABELS)):
        path = sequence / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return sequence


def test_the_length_is_that_of_the_files(folder: Path) -> None:
    info = read_sequence_info(folder)
    assert (info.name, info.frame_count, info.frame_rate) == ("0042", 5, 10.0)
    assert info.class_names == CLASSES


def test_both_classes_are_candidates_of_one_clip(folder: Path) -> None:
    candidates = read_detections(folder, read_sequence_info(folder), "rcnn")
    assert candidates.frame.tolist() == [0, 0, 3]
    assert candidates.class_id.tolist() == [0, 1, 0]
    assert candidates.id.tolist() == [0, 2, 1]
    assert candidates.box[0].tolist() == [298.5, 165.25, 458.5, 293.5]
    assert candidates.score.tolist() == pytest.approx([0.99975, 0.99261, 0.3], abs=1e-4)


def test_low_scores_are_left_out(folder: Path) -> None:
    assert len(read_detections(folder, read_sequence_info(folder), "rcnn", min_score=0.5)) == 2


def test_vans_are_ignored_and_other_types_left_out(folder: Path) -> None:
    truth = read_ground_truth(folder / "gt" / "label_02.txt", read_sequence_info(folder))
    assert truth.track.tolist() == [3, 7, 7, 9]
    assert truth.frame.tolist() == [0, 0, 1, 4]
    assert truth.class_id.tolist() == [0, 0, 0, 1]
    assert truth.ignored.tolist() == [True, False, False, False]
    assert truth.visibility.tolist() == [1.0, 1.0, 0.3, 0.7]
    assert truth.box[3].tolist() == [500.0, 161.0, 555.0, 292.0]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("298.5", "nan", "line 1: 'nan' is not a finite number"),
        ("298.5", "left", "line 1: 'left' is not a number"),
        ("3,2,100", "9,2,100", "line 2: frame 9 is outside 0 … 4"),
        ("3,2,100", "1.5,2,100", "line 2: frame 1.5 is outside"),
        (",-0.1,-0.7\n", "\n", "line 2: 13 columns, expected 15"),
    ],
)
def test_what_does_not_read_is_said_with_its_line(folder: Path, old: str, new: str, what: str) -> None:
    info = read_sequence_info(folder)
    (folder / "det" / "rcnn_Car.txt").write_text(CARS.replace(old, new))
    with pytest.raises(FormatError, match=what):
        read_detections(folder, info, "rcnn")


def test_a_track_with_two_boxes_in_a_frame_is_said(folder: Path) -> None:
    path = folder / "gt" / "label_02.txt"
    path.write_text(LABELS.replace("1 7 Car", "0 7 Car"))
    with pytest.raises(FormatError, match="line 4: track 7 has a second box in frame 0"):
        read_ground_truth(path, read_sequence_info(folder))


def test_a_box_without_an_area_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "det" / "rcnn_Car.txt").write_text(CARS.replace("200.0,220.0", "100.0,220.0"))
    assert len(read_detections(folder, read_sequence_info(folder), "rcnn")) == 2
    assert "1 rows without an area left out" in caplog.text


def test_a_file_that_is_not_there_is_an_input_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"other_Car.txt: no such file"):
        read_detections(folder, read_sequence_info(folder), "other")
    with pytest.raises(InputError, match="no KITTI sequence"):
        read_sequence_info(tmp_path)


def test_no_row_is_no_candidate(folder: Path) -> None:
    info = read_sequence_info(folder)
    for name in ("det/rcnn_Car", "det/rcnn_Pedestrian", "gt/label_02"):
        (folder / f"{name}.txt").write_text("")
    assert len(read_detections(folder, info, "rcnn")) == 0
    assert np.array_equal(read_ground_truth(folder / "gt" / "label_02.txt", info).track, [])

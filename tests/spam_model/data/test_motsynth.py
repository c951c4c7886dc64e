from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spam_model.data.motsynth import find_motsynth, read_motsynth
from spam_model.errors import FormatError, InputError

# frame from 0, id, x and y from 1, w, h, flag, class, visibility, 3-D position: as the release writes them
ROWS = """0,7,11.0,21.0,30.0,60.0,1,1,0.5,1.5,2.5,0.1
1,7,12.0,21.0,30.0,60.0,1,1,1.0,1.5,2.5,0.1
0,9,101.0,41.0,10.0,20.0,0,8,0.0,9.0,2.5,0.1
1,3,51.0,31.0,20.0,40.0,1,1,0.25,5.0,2.5,0.1
"""
SEQINFO = """[Sequence]
name=004
frameRate=20
seqLength=2
imWidth=1920
imHeight=1080
weather=CLEAR
isNight=0
FOV=50
imExt=.jpg
"""


def mot_release(root: Path, rows: str = ROWS, name: str = "004") -> Path:
    folder = root / "mot_annotations" / name
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text(rows)
    (folder / "seqinfo.ini").write_text(SEQINFO)
    return root


def coco_document() -> dict[str, Any]:
    def annotation(number: int, image: int, ped: int, box: list[float], crowd: int, visible: list[int]) -> Any:
        keypoints = [value for flag in visible for value in (0, 0, flag)]
        return {
            "id": number, "image_id": image, "category_id": 1, "ped_id": ped, "bbox": box, "iscrowd": crowd,
            "keypoints": keypoints, "area": 1,
        }  # fmt: skip

    return {
        "info": {"seq_name": "004", "fps": 20, "sequence_length": 2, "img_width": 1920, "img_height": 1080},
        "images": [
            {"id": 40000, "file_name": "frames/004/rgb/0000.jpg", "frame_n": 0, "width": 1920, "height": 1080},
            {"id": 40001, "file_name": "frames/004/rgb/0001.jpg", "frame_n": 1, "width": 1920, "height": 1080},
        ],
        "annotations": [
            annotation(1, 40000, 7, [10.0, 20.0, 30.0, 60.0], 0, [2, 2, 1, 1]),
            annotation(2, 40001, 7, [11.0, 20.0, 30.0, 60.0], 0, [2, 2, 2, 2]),
            annotation(3, 40000, 9, [100.0, 40.0, 10.0, 20.0], 1, [1, 1, 1, 1]),
            annotation(4, 40001, 3, [50.0, 30.0, 20.0, 40.0], 0, [2, 1, 1, 1]),
        ],
        "categories": [{"id": 1, "name": "person"}],
    }


def coco_release(root: Path, document: object) -> Path:
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "004.json").write_text(json.dumps(document))
    return root


def test_both_layouts_of_the_release_say_the_same(tmp_path: Path) -> None:
    for root in (mot_release(tmp_path / "mot"), coco_release(tmp_path / "coco", coco_document())):
        (path,) = find_motsynth(root)
        truth = read_motsynth(path)
        assert (truth.info.name, truth.info.frame_count, truth.info.frame_rate) == ("004", 2, 20.0)
        assert (truth.info.width, truth.info.height) == (1920, 1080)
        assert truth.track.tolist() == [3, 7, 7, 9]
        assert truth.frame.tolist() == [1, 0, 1, 0]
        expected = [[50, 30, 70, 70], [10, 20, 40, 80], [11, 20, 41, 80], [100, 40, 110, 60]]
        assert np.array_equal(truth.box, expected)
        assert truth.visibility.tolist() == [0.25, 0.5, 1.0, 0.0]
        assert truth.ignored.tolist() == [False, False, False, True]


def test_the_small_files_are_read_where_both_are_there(tmp_path: Path) -> None:
    mot_release(coco_release(tmp_path, coco_document()))
    mot_release(tmp_path, name="001")
    assert [path.name for path in find_motsynth(tmp_path)] == ["001", "004"]


def test_a_folder_without_motsynth_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mot_annotations/<seq>/gt/gt\.txt"):
        find_motsynth(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.replace("1,3,", "2,3,"), r"frame 2 is outside 0 … 1"),
        (ROWS + ROWS.splitlines()[0], "track 7 has a second box in frame 0"),
        ("0,7,11,21,30,60,1,1,0.5\n", "9 columns; MOTSynth has 12"),
        (ROWS.replace("51.0", "fifty"), "fifty"),
        (ROWS.replace("51.0", "nan"), "a box is not a number"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_named(rows: str, message: str, tmp_path: Path) -> None:
    (path,) = find_motsynth(mot_release(tmp_path, rows))
    with pytest.raises(FormatError, match=message) as error:
        read_motsynth(path)
    assert "gt.txt" in str(error.value)


@pytest.mark.parametrize("missing", ["info", "images", "annotations"])
def test_a_json_file_of_something_else_is_named(missing: str, tmp_path: Path) -> None:
    document = coco_document()
    del document[missing]
    (path,) = find_motsynth(coco_release(tmp_path, document))
    with pytest.raises(FormatError, match=r"004\.json: not a COCO file of MOTSynth"):
        read_motsynth(path)

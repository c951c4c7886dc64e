"""COCO-video files: the published layout, categories by name, and files that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spam_model.data.coco_video import format_coco_video, read_coco_video
from spam_model.errors import FormatError, InputError
from spam_model.values import ClipInfo, Labels

INFO = ClipInfo("street", 3, 12.5, 64, 48, ("person", "car"))
Change = Callable[[dict[str, Any]], object]


def some_labels() -> Labels:
    return Labels.build(
        INFO,
        np.array([1, 1, 4]),
        np.array([0, 2, 2]),
        np.array([[1.0, 2, 11, 22.5], [2, 2, 12, 22.5], [30, 40, 70, 50]]),
        class_id=np.array([0, 0, 1]),
        score=np.array([0.9, 0, 0.33333]),
        occluded=np.array([False, True, False]),
    )


@pytest.fixture
def document() -> dict[str, Any]:
    made = json.loads(format_coco_video(some_labels()))
    assert isinstance(made, dict)
    return made


def read(folder: Path, document: dict[str, Any] | str, info: ClipInfo = INFO) -> Labels:
    path = folder / "labels.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_coco_video(path, info)


def test_the_layout_is_that_of_cocovid(document: dict[str, Any]) -> None:
    assert document["videos"] == [{"id": 1, "name": "street", "fps": 12.5, "width": 64, "height": 48}]
    assert document["categories"] == [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    assert [(image["id"], image["video_id"], image["frame_id"]) for image in document["images"]] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 1, 2),
    ]
    assert document["images"][1]["file_name"] == "street/img1/000002.jpg"
    assert document["annotations"][2] == {
        "id": 3,
        "image_id": 3,
        "video_id": 1,
        "category_id": 2,
        "instance_id": 4,
        "bbox": [30.0, 40.0, 40.0, 10.0],
        "area": 400.0,
        "iscrowd": 0,
        "score": 0.3333,
        "occluded": False,
    }


def test_categories_become_classes_by_name_whatever_their_ids(tmp_path: Path, document: dict[str, Any]) -> None:
    document["categories"] = [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]
    assert read(tmp_path, document).class_id.tolist() == [1, 1, 0]


def test_a_clip_of_one_class_takes_a_single_category_under_any_name(tmp_path: Path, document: dict[str, Any]) -> None:
    document["categories"] = [{"id": 1, "name": "pedestrian"}]
    document["annotations"] = document["annotations"][:2]
    people = ClipInfo("street", 3, 12.5, 64, 48)
    assert read(tmp_path, document, people).class_id.tolist() == [0, 0]


def test_other_videos_of_the_file_are_passed_over(tmp_path: Path, document: dict[str, Any]) -> None:
    document["videos"].append({"id": 2, "name": "square"})
    document["images"].append({"id": 9, "video_id": 2, "frame_id": 77})
    document["annotations"].append(document["annotations"][0] | {"image_id": 9})
    assert len(read(tmp_path, document)) == 3


def test_what_a_foreign_file_leaves_out_is_taken_as_certain_and_seen(tmp_path: Path, document: dict[str, Any]) -> None:
    for item in document["annotations"]:
        del item["score"], item["occluded"], item["area"], item["iscrowd"]
    labels = read(tmp_path, document)
    assert labels.score.tolist() == [1, 1, 1]
    assert not labels.occluded.any()


def test_boxes_without_an_area_are_left_out_and_counted(
    tmp_path: Path, document: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    document["annotations"][0]["bbox"] = [5, 5, 0, 9]
    document["annotations"][1]["bbox"] = [5, 5, 9, -1]
    assert read(tmp_path, document).track.tolist() == [4]
    assert "2 rows without an area" in caplog.text


def put(kind: str, index: int, **values: object) -> Change:
    return lambda document: document[kind][index].update(values)


BAD_FILES: list[tuple[str, Change, str]] = [
    ("a list is missing", lambda d: d.pop("images"), "labels.json, images: Field required"),
    ("a field is missing", lambda d: d["annotations"][1].pop("bbox"), r"annotations\[1\]\.bbox: Field required"),
    ("a box of words", put("annotations", 2, bbox=[1, 2, "wide", 4]), r"annotations\[2\]\.bbox\[2\]: .* valid number"),
    ("a box of three", put("annotations", 2, bbox=[1, 2, 3]), r"annotations\[2\]\.bbox\[3\]: Field required"),
    ("a box of NaN", put("annotations", 0, bbox=[1, float("nan"), 3, 4]), r"annotations\[0\]\.bbox\[1\]: .* finite"),
    ("a track of half", put("annotations", 0, instance_id=1.5), r"annotations\[0\]\.instance_id: .* valid integer"),
    ("a giant id", put("annotations", 0, instance_id=10**30), r"annotations\[0\]\.instance_id: "),
    ("a negative frame", put("images", 1, frame_id=-1), r"images\[1\]\.frame_id: .* greater than or equal to 0"),
    ("no such image", put("annotations", 1, image_id=8), r"annotations\[1\]: there is no image 8"),
    ("no such category", put("annotations", 1, category_id=8), r"annotations\[1\]: there is no category 8"),
    (
        "an unknown class",
        put("categories", 1, name="tram"),
        r"annotations\[2\]: category 'tram' is none of person, car",
    ),
    ("beyond the end", put("images", 2, frame_id=3), r"annotations\[1\]: frame 3 is outside 0 … 2, those of 'street'"),
    ("two boxes in a frame", put("annotations", 2, instance_id=1), r"annotations\[2\]: track 1 .* box in frame 2"),
    ("another video", put("videos", 0, name="square"), "videos: expected one named 'street', found square"),
    ("an id twice", put("images", 1, id=3), r"images\[2\]: id 3 occurs twice"),
]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in BAD_FILES], ids=[c[0] for c in BAD_FILES])
def test_a_bad_file_is_refused_with_the_place(
    tmp_path: Path, document: dict[str, Any], change: Change, message: str
) -> None:
    change(document)
    with pytest.raises(FormatError, match=rf"labels\.json, .*{message}" if "labels" not in message else message):
        read(tmp_path, document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON.* line 1"),
        ('{"videos": [],\n "images"', "Invalid JSON.* line 2"),
        ("[]", "object|dictionary"),
    ],
    ids=["empty", "cut off", "a list"],
)
def test_what_is_no_such_document_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=rf"labels\.json: .*(?:{message})"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_coco_video(tmp_path / "nowhere.json", INFO)

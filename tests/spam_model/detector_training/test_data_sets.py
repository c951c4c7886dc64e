from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from spam_model.detector_training.coco_images import read_coco
from spam_model.detector_training.people import find_people, read_people_folder
from spam_model.detector_training.samples import Boxes, FramesInMemory, ImageFiles, Joined, drawing, encode_frame
from spam_model.detector_training.sequences import boxes_of_truth, read_sequence, render_sequences
from spam_model.errors import FormatError, InputError, VideoError
from spam_model.values import ClipInfo, GroundTruth

HEADER = "image,x1,y1,x2,y2,identity,source,score\n"


def people_folder(root: Path, rows: str, name: str = "street") -> Path:
    folder = root / name
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for image in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / "images" / image), np.full((40, 60, 3), 90, np.uint8))
    (folder / "labels" / "labels.csv").write_text(HEADER + rows)
    return folder


def test_a_set_labelled_by_people_is_complete(tmp_path: Path) -> None:
    found = read_people_folder(people_folder(tmp_path, "a.jpg,1,2,21,32,-1,human,1.0\n"))
    assert [path.name for path in found.images] == ["a.jpg", "b.jpg"]
    assert found.boxes[0].box.tolist() == [[1, 2, 21, 32]]
    assert len(found.boxes[1].box) == 0
    assert all(len(boxes.known) == 1 for boxes in found.boxes)
    assert found.frequency.tolist() == [1, 1]
    assert found.load(0).image.shape == (40, 60, 3)


def test_a_teacher_leaves_the_rest_of_the_picture_open(tmp_path: Path) -> None:
    rows = "a.jpg,1,2,21,32,-1,teacher,0.9\na.jpg,30,2,50,32,-1,teacher,0.45\n"
    found = read_people_folder(people_folder(tmp_path, rows))
    boxes = found.boxes[0]
    assert boxes.box.tolist() == boxes.known.tolist() == [[1, 2, 21, 32]]
    assert boxes.ignore.tolist() == [[30, 2, 50, 32]]
    assert found.frequency.tolist() == [1, 0], "nothing is known of a picture without a box"


def test_incomplete_sets_and_crops_are_known_by_name(tmp_path: Path) -> None:
    incomplete = people_folder(tmp_path, "a.jpg,1,2,21,32,-1,human,1.0\n", "tud_inria_street")
    assert read_people_folder(incomplete).boxes[0].known.tolist() == [[1, 2, 21, 32]]
    people_folder(tmp_path, "", "market1501_train_crops")
    assert find_people(tmp_path) == [incomplete]
    assert find_people(incomplete) == [incomplete]


@pytest.mark.parametrize(
    ("rows", "message"),
    [("a.jpg,1,2,x,32,-1,human,1.0\n", "line 2: not a box"), ("a.jpg,1,2\n", "line 2: not a box")],
)
def test_rows_that_do_not_read_are_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_people_folder(people_folder(tmp_path, rows))


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a set"):
        find_people(tmp_path)
    with pytest.raises(InputError, match="no such file; a set of people"):
        read_people_folder(tmp_path)
    folder = people_folder(tmp_path, "")
    (folder / "images" / "a.jpg").write_bytes(b"")
    with pytest.raises(VideoError, match=r"a\.jpg: does not decode"):
        read_people_folder(folder).load(0)


def test_coco_images_with_their_classes(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 5, "file_name": "a.jpg"}, {"id": 6, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"id": 9, "name": "boat"}],
        "annotations": [
            {"image_id": 5, "category_id": 3, "bbox": [1, 2, 10, 20]},
            {"image_id": 5, "category_id": 1, "bbox": [0, 0, 5, 5], "iscrowd": 1},
            {"image_id": 5, "category_id": 9, "bbox": [0, 0, 5, 5]},
            {"image_id": 6, "category_id": 1, "bbox": [3, 4, 5, 6]},
            {"image_id": 6, "category_id": 1, "bbox": [3, 4, 0, 6]},
        ],
    }
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(document))
    found = read_coco(file, tmp_path, ("person", "car"))
    assert found.boxes[0].box.tolist() == [[1, 2, 11, 22]]
    assert found.boxes[0].class_id.tolist() == [1]
    assert found.boxes[0].ignore.tolist() == [[0, 0, 5, 5]]
    assert found.boxes[1].box.tolist() == [[3, 4, 8, 10]]
    with pytest.raises(InputError, match="none of the classes dog; it has person, car, boat"):
        read_coco(file, tmp_path, ("dog",))
    file.write_text("{}")
    with pytest.raises(FormatError, match="not COCO's layout"):
        read_coco(file, tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_coco(tmp_path / "none.json", tmp_path)


def test_hidden_objects_and_distractors_are_ignored() -> None:
    info = ClipInfo("clip", 3, 10.0, 100, 100)
    box = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10], [0, 0, 10, 10]])
    truth = GroundTruth(
        info,
        track=np.arange(5),
        frame=np.array([1, 1, 1, 1, 2]),
        box=box,
        class_id=np.array([0, 0, 0, -1, 0]),
        visibility=np.array([1.0, 0.1, 1.0, 1.0, 1.0]),
        ignored=np.array([False, False, True, True, False]),
    )
    none, seen = boxes_of_truth(truth, np.array([0, 1]))
    assert len(none.box) == len(none.ignore) == 0
    assert seen.box.tolist() == box[:1].tolist()
    assert seen.ignore.tolist() == box[1:3].tolist()


def test_rendered_streets_are_rendered_once(tmp_path: Path) -> None:
    first = render_sequences(tmp_path, 1, seed=3, frames=2)
    assert len(first.encoded) == len(first.boxes) == 2
    assert sum(len(boxes.box) for boxes in first.boxes) > 0
    (video,) = tmp_path.glob("*/video.mp4")
    before = video.stat().st_mtime_ns
    again = render_sequences(tmp_path, 1, seed=3, frames=2)
    assert video.stat().st_mtime_ns == before
    assert again.encoded == first.encoded
    assert again.load(0).image.shape == (360, 640, 3)
    (folder,) = (path.parent for path in tmp_path.glob("*/seqinfo.ini"))
    (folder / "gt" / "gt.txt").unlink()
    with pytest.raises(InputError, match=r"no gt/gt\.txt"):
        read_sequence(folder)


def frames(name: str, count: int, weight: float, class_names: tuple[str, ...] = ("person",)) -> FramesInMemory:
    image = np.full((8, 8, 3), 10 * count, np.uint8)
    boxes = [Boxes.build(np.array([[0.0, 0, 4, 4]]))] * count
    return FramesInMemory(name, class_names, [encode_frame(image)] * count, boxes, weight)


def test_sets_are_drawn_as_often_as_they_weigh() -> None:
    joined = Joined((frames("a", 1, 3.0), frames("b", 3, 1.0)))
    assert joined.name == "a + b"
    assert [int(joined.load(index).image[0, 0, 0]) for index in range(4)] == [10, 30, 30, 30]
    rng = np.random.default_rng(0)
    draw = drawing(joined)
    from_a = np.mean([int(draw(rng).image[0, 0, 0]) == 10 for _ in range(400)])
    assert abs(from_a - 0.5) < 0.08


def test_sets_that_cannot_be_joined_are_refused() -> None:
    with pytest.raises(InputError, match="do not have the same classes"):
        Joined((frames("a", 1, 1.0), frames("b", 1, 1.0, ("car",))))
    nothing = ImageFiles("empty", ("person",), [Path("a.jpg")], [Boxes.partly_known(np.zeros((0, 4)))])
    with pytest.raises(InputError, match="no image to train on"):
        Joined((nothing,))

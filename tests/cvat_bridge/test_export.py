"""Exported tracks are those that CVAT shows: checked against an export that a real server wrote."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from cvat_sdk import Client, models

from cvat_bridge.export import export_task, file_stem, task_labels
from cvat_bridge.server import CvatReader
from spam_model.data.coco_video import read_coco_video
from spam_model.data.motchallenge import read_ground_truth, read_sequence_info
from spam_model.errors import InputError, ServerError
from tests.cvat_bridge.embedded.media_files import video
from tests.cvat_bridge.embedded.replay import GOLDEN
from tests.cvat_bridge.proxy import Fault, Proxy

Box = tuple[int, int, bool, tuple[float, ...]]  # track, frame, occluded, x1 y1 x2 y2


def recorded() -> ET.Element:
    return ET.fromstring((GOLDEN / "10-export-import.xml").read_text())


def elements(root: ET.Element) -> list[tuple[dict[str, str], list[tuple[dict[str, str], dict[str, str]]]]]:
    """Every track with its boxes and their attribute values, whatever their order."""
    return [
        (
            track.attrib,
            [
                (box.attrib, {a.attrib["name"]: a.text or "" for a in box.iter("attribute")})
                for box in track.iter("box")
            ],
        )
        for track in root.iter("track")
    ]


def _attribute(name: str, mutable: bool, kind: str, default: str, values: list[str]) -> models.AttributeRequest:
    return models.AttributeRequest(name=name, mutable=mutable, input_type=kind, default_value=default, values=values)


def _shape(frame: int, x1: float, width: float = 30.0, **flags: bool) -> models.TrackedShapeRequest:
    return models.TrackedShapeRequest(
        type="rectangle", frame=frame, points=[x1, 50.0, x1 + width, 120.0], attributes=[], **flags
    )


def make(lead: Client, folder: Path, overlap: int = 0) -> int:
    """The task of the recording: 40 frames in two jobs, its label, and no annotation yet."""
    specs = [
        _attribute("note", False, "text", "", []),
        _attribute("confidence", True, "number", "0", ["0", "100", "1"]),
        _attribute("track_uncertain", True, "checkbox", "false", ["false"]),
        _attribute("team", False, "select", "a", ["a", "b"]),
    ]
    label = models.PatchedLabelRequest(name="person", type="any", color="#ff6037", attributes=specs)
    project = lead.projects.create(models.ProjectWriteRequest(name="recorded", labels=[label]))
    (folder / "clip40.mp4").write_bytes(video(40))
    spec = models.TaskWriteRequest(name="trace task", project_id=project.id, segment_size=20, overlap=overlap)
    return int(lead.tasks.create_from_data(spec, [folder / "clip40.mp4"], data_params={"image_quality": 70}).id)


def annotate(lead: Client, task: int, **objects: object) -> None:
    lead.api_client.tasks_api.partial_update_annotations(
        action="create", id=task, patched_labeled_data_request=models.PatchedLabeledDataRequest(**objects)
    )


@pytest.fixture(scope="module")
def task(lead: Client, tmp_path_factory: pytest.TempPathFactory) -> int:
    made = make(lead, tmp_path_factory.mktemp("clip"))
    (label,) = CvatReader(lead).labels(made)
    ids = {spec.name: spec.id for spec in label.attributes}
    first = models.TrackedShapeRequest(
        type="rectangle",
        frame=0,
        points=[20.0, 50.0, 50.0, 120.0],
        attributes=[
            models.AttributeValRequest(spec_id=ids["confidence"], value="87"),
            models.AttributeValRequest(spec_id=ids["track_uncertain"], value="true"),
        ],
    )
    note = [models.AttributeValRequest(spec_id=ids["note"], value="id-1")]
    tracks = [
        models.LabeledTrackRequest(
            frame=0,
            label_id=label.id,
            source="manual",
            attributes=note,
            shapes=[first, _shape(5, 25.0, occluded=True), _shape(25, 45.0, outside=True)],
        ),
        models.LabeledTrackRequest(
            frame=30, label_id=label.id, source="manual", shapes=[_shape(30, 230.0), _shape(39, 239.0)]
        ),
    ]
    single = models.LabeledShapeRequest(
        type="rectangle", frame=2, label_id=label.id, points=[5.0, 6.0, 50.0, 60.0], source="manual"
    )
    annotate(lead, made, tracks=tracks, shapes=[single])
    return made


def test_the_embedded_server_exports_what_the_real_one_did(lead: Client, task: int, tmp_path: Path) -> None:
    report = export_task(lead, task, tmp_path, "cvat:CVAT for video 1.1", 25.0)
    (path,) = report.files
    with zipfile.ZipFile(path) as archive:
        found = ET.fromstring(archive.read("annotations.xml"))
    assert elements(found) == elements(recorded())
    expected, meta = recorded().find("meta/task"), found.find("meta/task")
    assert expected is not None and meta is not None
    assert [child.tag for child in meta] == [child.tag for child in expected]
    same = ("name", "size", "mode", "overlap", "start_frame", "stop_frame", "original_size/width", "source")
    assert [meta.findtext(name) for name in same] == [expected.findtext(name) for name in same]


def boxes_of_the_recording() -> set[Box]:
    """What CVAT shows of the tracks; the last one was a single shape, which is no track."""
    found = set()
    for number, (_, boxes) in enumerate(elements(recorded())[:-1]):
        for box, _ in boxes:
            if box["outside"] == "0":
                corners = tuple(float(box[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
                found.add((number, int(box["frame"]), box["occluded"] == "1", corners))
    return found


def test_boxes_are_interpolated_as_cvat_does(lead: Client, task: int) -> None:
    labels, notes = task_labels(CvatReader(lead), task, 25.0)
    order = {track: number for number, track in enumerate(sorted(set(labels.track), reverse=True))}
    columns = zip(labels.track, labels.frame, labels.occluded, labels.box.round(2).tolist(), strict=True)
    found = {(order[track], int(frame), bool(hidden), tuple(box)) for track, frame, hidden, box in columns}
    assert found == boxes_of_the_recording()
    assert notes == ["1 single shapes are no tracks and are left out"]


def test_files_read_back_as_what_was_exported(lead: Client, task: int, tmp_path: Path) -> None:
    labels, _ = task_labels(CvatReader(lead), task, 10.0)
    mot = export_task(lead, task, tmp_path, "mot", 10.0)
    coco = export_task(lead, task, tmp_path, "coco", 10.0)
    folder = tmp_path / f"trace_task-{task}"
    info = read_sequence_info(folder)
    assert (info.frame_count, info.frame_rate, info.width, info.height) == (40, 10.0, 320, 240)
    truth = read_ground_truth(folder / "gt" / "gt.txt", info)
    assert len(truth.frame) == len(labels) == mot.boxes == coco.boxes
    again = read_coco_video(Path(coco.files[0]), labels.info)
    for one, other in ((again.track, labels.track), (again.frame, labels.frame), (again.occluded, labels.occluded)):
        assert one.tolist() == other.tolist()
    assert again.box == pytest.approx(labels.box, abs=0.001)
    assert (folder / "gt" / "labels.txt").read_text() == "person\n"


def test_a_persons_track_over_overlapping_jobs_is_one(lead: Client, tmp_path: Path) -> None:
    task = make(lead, tmp_path, overlap=5)
    (label,) = CvatReader(lead).labels(task)
    walks = [(0, 20.0), (39, 59.0)], [(0, 150.0), (39, 189.0)]
    tracks = [
        models.LabeledTrackRequest(
            frame=0, label_id=label.id, source="manual", shapes=[_shape(frame, x1) for frame, x1 in walk]
        )
        for walk in walks
    ]
    annotate(lead, task, tracks=tracks)
    assert len(CvatReader(lead).jobs(task)) == 3
    labels, _ = task_labels(CvatReader(lead), task, 25.0)
    assert len(labels.track_ids) == 2
    for track in labels.track_ids:
        rows = labels.rows(track)
        assert labels.frame[rows].tolist() == list(range(40))
        assert (labels.box[rows, 0] - labels.frame[rows]).std() < 0.01, "one walk, from end to end"


def test_deleted_frames_and_other_shapes_are_left_out_and_counted(lead: Client, tmp_path: Path) -> None:
    task = make(lead, tmp_path)
    (label,) = CvatReader(lead).labels(task)
    line = [
        models.TrackedShapeRequest(
            type="polyline", frame=frame, points=[1.0, 1.0, 9.0, 9.0], outside=frame > 0, attributes=[]
        )
        for frame in (0, 10)
    ]
    walk = [_shape(0, 20.0), _shape(9, 29.0), _shape(10, 29.0, outside=True)]
    tracks = [models.LabeledTrackRequest(frame=0, label_id=label.id, shapes=shapes) for shapes in (walk, line)]
    annotate(lead, task, tracks=tracks)
    lead.api_client.tasks_api.partial_update_data_meta(
        task, patched_data_meta_write_request=models.PatchedDataMetaWriteRequest(deleted_frames=[3, 4])
    )
    labels, notes = task_labels(CvatReader(lead), task, 25.0)
    assert set(labels.frame.tolist()) == set(range(10)) - {3, 4}
    assert len(labels.track_ids) == 1
    assert notes == ["1 tracks of other shapes than rectangles are left out"]


def test_files_are_not_overwritten_unless_told(lead: Client, task: int, tmp_path: Path) -> None:
    for name in ("mot", "coco", "cvat:CVAT for video 1.1"):
        export_task(lead, task, tmp_path, name, 25.0)
        with pytest.raises(InputError, match="--overwrite"):
            export_task(lead, task, tmp_path, name, 25.0)
        assert export_task(lead, task, tmp_path, name, 25.0, overwrite=True).files


def test_a_format_that_nobody_has_is_refused(lead: Client, task: int, tmp_path: Path, proxy: Proxy) -> None:
    with pytest.raises(InputError, match="give mot, coco, or cvat:NAME"):
        export_task(lead, task, tmp_path, "yolo", 25.0)
    with pytest.raises(ServerError, match="Unknown format specified"):
        export_task(lead, task, tmp_path, "cvat:Nope 1.0", 25.0)
    proxy.faults = [Fault("POST", "/dataset/export", 403)]
    with pytest.raises(ServerError, match="lacks the right"):
        export_task(lead, task, tmp_path, "cvat:CVAT for video 1.1", 25.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "stem"), [("Main St. 7", "Main_St._7-3"), ("../../etc", "etc-3"), ("…", "task-3"), ("a/b", "a_b-3")]
)
def test_a_file_name_stays_within_its_folder(name: str, stem: str) -> None:
    assert file_stem(name, 3) == stem

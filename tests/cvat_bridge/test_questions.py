"""Question cards in CVAT: what lies on them, what a digit means there, and what an answer becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cvat_sdk import Client, models

from cvat_bridge import questions
from cvat_bridge.cards import parse_card_file_name
from cvat_bridge.journal import Journal, RoundRow
from cvat_bridge.memory import RoundMemory, memory_of
from cvat_bridge.questions import review_labels, tag_label
from cvat_bridge.review_desk import ReviewDesk
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Shape, Tag, Task
from cvat_bridge.writer import CvatWriter
from spam_model.values import NOTHING, OPTION_LETTERS, Anchor, Answer, ClipInfo, Query, QueryKind, Topic
from tests.cvat_bridge.cards.painted import PaintedFrames, labels_of, tracklet
from tests.cvat_bridge.proxy import Fault, Proxy

INFO = ClipInfo("street", 40, 25.0, 320, 240)


def _link(options: int) -> Query:
    subject = tracklet(0, 2, (20.0, 40.0, 50.0, 120.0), 3)
    others = tuple(
        tracklet(10 * n, 8 + n, (40.0 + 20 * n, 40.0, 70.0 + 20 * n, 120.0), 2) for n in range(1, options + 1)
    )
    return Query(QueryKind.ASSOCIATION, 1, subject, others)


def _box(number: int, box: tuple[float, float, float, float]) -> Query:
    return Query(QueryKind.LOCALIZATION, 0, (Anchor(500 + number, 5 + number, box, 0),))


LINKS = tuple(_link(options) for options in (1, 3, 7))
VALID = Query(QueryKind.DETECTION, 0, tracklet(200, 12, (100.0, 60.0, 130.0, 140.0), 1))
PLACE = Query(
    QueryKind.LOCALIZATION,
    0,
    (Anchor(-(2**61), 20, (60.5, 50.25, 90.0, 130.0), 0),),
    topic=Topic.PLACE,
    between=(Anchor(600, 13, (40.0, 50.0, 70.0, 130.0), 0), Anchor(601, 27, (80.0, 50.0, 110.0, 130.0), 0)),
)
BOXES = (
    _box(1, (100.25, 60.5, 131.0, 140.75)),
    _box(2, (-3.5, 20.0, 12.0, 61.0)),
    _box(3, (300.0, 200.0, 330.0, 250.0)),
    _box(4, (150.0, 100.0, 155.0, 112.0)),
    PLACE,
)
QUERIES = (*LINKS, VALID, *BOXES)


@pytest.mark.parametrize("query", [*map(_link, range(1, 8)), VALID], ids=lambda query: tag_label(query))
def test_each_digit_key_gives_the_answer_that_the_card_names(query: Query) -> None:
    """CVAT's attribute workspace: digit k chooses the k-th value, counted from 0, which is ``?``."""
    label = next(label for label in review_labels() if label["name"] == tag_label(query))
    attribute = label["attributes"][0]  # type: ignore[index]
    assert attribute["values"][0] == attribute["default_value"] == "?"
    assert tuple(attribute["values"][1:]) == query.choices
    assert len(query.choices) <= 9


def test_there_is_one_label_for_every_number_of_options() -> None:
    names = [label["name"] for label in review_labels()]
    assert len(set(names)) == len(names) == len(OPTION_LETTERS) + 2


@dataclass
class Round:
    client: Client
    reader: CvatReader
    writer: CvatWriter
    journal: Journal
    desk: ReviewDesk
    task: Task

    @property
    def row(self) -> RoundRow:
        return self.journal.rounds()[-1]

    def answers(self) -> dict[str, Answer]:
        found, _ = self.desk.read_answers(self.row, {query.id: query for query in QUERIES})
        assert len({answer.query_id for answer in found}) == len(found)
        return {answer.query_id: answer for answer in found}

    def complete(self) -> None:
        for job in self.reader.jobs(self.task.id):
            body = models.PatchedJobWriteRequest(state="completed")
            self.client.api_client.jobs_api.partial_update(job.id, patched_job_write_request=body)

    def patch(self, job_id: int, action: str, **objects: object) -> None:
        self.client.api_client.jobs_api.partial_update_annotations(
            action=action, id=job_id, patched_labeled_data_request=models.PatchedLabeledDataRequest(**objects)
        )


@pytest.fixture
def asked(lead: Client, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Round]:
    """A round of all the questions in jobs of three cards."""
    monkeypatch.setattr(questions, "CARDS_PER_JOB", 3)
    reader = CvatReader(lead)
    with Journal(tmp_path / "journal") as journal:
        writer = CvatWriter(lead, reader, journal)
        task = Task(id=1, name=f"street of {tmp_path.name}")
        desk = ReviewDesk(task, reader, writer, journal, (reader.self_user(),))
        yield Round(lead, reader, writer, journal, desk, _open(desk))


def _open(desk: ReviewDesk) -> Task:
    frames = PaintedFrames(INFO)
    labels = labels_of(INFO, [query.subject for query in LINKS[:1]])
    memory = RoundMemory(task_id=desk.task.id, round=1, full=100, budget=10, rounds=2, run="r1", settings={})
    return desk.open_round(memory, QUERIES, frames, labels, lambda n: None)


def _by_frame(asked: Round) -> dict[int, Query]:
    queries = {query.id: query for query in QUERIES}
    names = [Path(frame.name).name for frame in asked.reader.data_meta(asked.task.id).frames]
    return {frame: queries[parse_card_file_name(name).query_id] for frame, name in enumerate(names)}


def test_every_question_is_one_card_with_one_mark_of_its_kind(asked: Round) -> None:
    query_of = _by_frame(asked)
    labels = {label.id: label for label in asked.reader.labels(asked.task.id)}
    marks: dict[int, str] = {}
    for job in asked.reader.jobs(asked.task.id):
        standing = asked.reader.annotations(job.id)
        kinds = {query_of[frame].kind is QueryKind.LOCALIZATION for frame in range(job.start_frame, job.stop_frame + 1)}
        assert len(kinds) == 1
        assert job.stop_frame - job.start_frame < 3
        assert job.assignee is not None
        found: list[Tag | Shape] = [*standing.tags, *standing.shapes]
        for mark in found:
            assert mark.frame not in marks
            marks[mark.frame] = labels[mark.label_id].name
        for tag in standing.tags:
            (spec,) = labels[tag.label_id].attributes
            assert tuple(spec.values[1:]) == query_of[tag.frame].choices
    expected = {f: "box" if q.kind is QueryKind.LOCALIZATION else tag_label(q) for f, q in query_of.items()}
    assert marks == expected
    assert len(expected) == len(QUERIES)


def test_opening_the_round_again_sends_nothing(asked: Round, proxy: Proxy) -> None:
    proxy.reset()
    assert _open(asked.desk).id == asked.task.id
    assert not proxy.writes


def test_lost_answers_on_the_way_leave_each_mark_once(
    lead: Client, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "CARDS_PER_JOB", 3)
    reader = CvatReader(lead)
    proxy.faults = [
        Fault("PATCH", r"/api/jobs/\d+/annotations", 504, committed=True),
        Fault("PATCH", r"/api/jobs/\d+/annotations", 502, skip=1),
    ]
    with Journal(tmp_path / "journal") as journal:
        street = Task(id=2, name=f"street of {tmp_path.name}")
        task = _open(ReviewDesk(street, reader, CvatWriter(lead, reader, journal), journal, (reader.self_user(),)))
    counts = [len((a := reader.annotations(job.id)).tags) + len(a.shapes) for job in reader.jobs(task.id)]
    assert sum(counts) == len(QUERIES)
    assert all(fault.times == 0 for fault in proxy.faults)


def test_a_mark_left_at_its_question_mark_is_no_answer_and_an_untouched_box_is_one(asked: Round) -> None:
    assert asked.answers() == {}
    asked.complete()
    answers = asked.answers()
    assert answers.keys() == {query.id for query in BOXES}
    for query in BOXES:
        box = answers[query.id].box
        assert box is not None
        assert all(abs(a - b) <= 0.5 for a, b in zip(box, query.subject[0].box, strict=True))


def test_a_chosen_value_is_the_answer(asked: Round) -> None:
    query_of = _by_frame(asked)
    wanted = {query.id: query.choices[-2] for query in (*LINKS, VALID)}
    for job in asked.reader.jobs(asked.task.id):
        tags = [
            models.LabeledImageRequest(
                id=tag.id,
                frame=tag.frame,
                label_id=tag.label_id,
                source="auto",
                attributes=[
                    models.AttributeValRequest(spec_id=tag.attributes[0].spec_id, value=wanted[query_of[tag.frame].id])
                ],
            )
            for tag in asked.reader.annotations(job.id).tags
        ]
        asked.patch(job.id, "update", tags=tags)
    asked.complete()
    answers = asked.answers()
    assert {key: answers[key].choice for key in wanted} == wanted


def test_a_dragged_corner_lands_where_it_points_in_the_frame_within_half_a_pixel(asked: Round) -> None:
    """The scale is measured on the card itself: from the rectangle that we laid there and the box it stands for."""
    query_of = _by_frame(asked)
    expected = {}
    for job in asked.reader.jobs(asked.task.id):
        shapes = []
        for shape in asked.reader.annotations(job.id).shapes:
            x1, y1, x2, y2 = shape.points
            frame_box = query_of[shape.frame].subject[0].box
            scale = (frame_box[2] - frame_box[0]) / (x2 - x1)
            expected[query_of[shape.frame].id] = (
                frame_box[0] - 12 * scale,
                frame_box[1] + 8 * scale,
                frame_box[2] + 20 * scale,
                frame_box[3] - 4 * scale,
            )
            moved = [x1 - 12, y1 + 8, x2 + 20, y2 - 4]
            shapes.append(
                models.LabeledShapeRequest(
                    id=shape.id, type="rectangle", frame=shape.frame, label_id=shape.label_id, points=moved
                )
            )
        asked.patch(job.id, "update", shapes=shapes)
    asked.complete()
    answers = asked.answers()
    assert len(expected) == len(BOXES)
    for query_id, box in expected.items():
        found = answers[query_id].box
        assert found is not None
        assert all(abs(a - b) <= 0.5 for a, b in zip(found, box, strict=True))


def test_a_deleted_tag_is_no_answer_and_a_deleted_rectangle_says_that_nothing_is_there(asked: Round) -> None:
    for job in asked.reader.jobs(asked.task.id):
        asked.client.api_client.jobs_api.destroy_annotations(job.id)
    asked.complete()
    boxes = {query.id for query in QUERIES if query.kind is QueryKind.LOCALIZATION}
    assert boxes
    assert asked.answers() == {id: Answer(id, NOTHING) for id in boxes}


def test_only_completed_jobs_are_read(asked: Round) -> None:
    first, *others = asked.reader.jobs(asked.task.id)
    body = models.PatchedJobWriteRequest(state="completed")
    asked.client.api_client.jobs_api.partial_update(first.id, patched_job_write_request=body)
    _, waiting = asked.desk.read_answers(asked.row, {})
    assert waiting == len(others)


def test_a_reviewers_job_shows_the_guide_with_the_keys(asked: Round) -> None:
    """CVAT shows the project's guide in the jobs of a project's tasks, as recorded."""
    job, _ = asked.client.api_client.jobs_api.retrieve(asked.reader.jobs(asked.task.id)[0].id)
    guide = asked.reader.guide(job.guide_id)
    assert "Ctrl+S" in guide
    assert "<!--" not in guide


def test_the_review_tasks_guide_leads_to_the_frames_and_remembers_the_questions(asked: Round) -> None:
    task = asked.reader.task(asked.task.id)
    assert task.guide_id is not None
    guide = asked.reader.guide(task.guide_id)
    assert all(f"?frame={query.subject[-1].frame})" in guide for query in QUERIES)
    (line,) = [line for line in guide.splitlines() if PLACE.id in line]
    assert re.findall(r"\[(\w+ \d+)\]\(\S+/tasks/1\?frame=(\d+)\)", line) == [
        ("frame 20", "20"),
        ("before 13", "13"),
        ("after 27", "27"),
    ]
    memory = memory_of(guide)
    assert memory.queries == QUERIES
    assert memory.to_frame == {card.query_id: card.to_frame for card in asked.journal.cards()}

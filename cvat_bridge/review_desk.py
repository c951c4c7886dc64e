"""Question cards in a review task of CVAT, and reviewers' answers back.

One question is one card is one frame of a review task, in a project of its own. Cards of one kind of workspace share
a job: tags are answered with a digit in the attribute workspace, rectangles are dragged in the standard one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from cvat_bridge.cards import Card, CardContext, LinearMap, card_file_name, compose_card, parse_card_file_name
from cvat_bridge.journal import CardRow, Journal, RoundRow
from cvat_bridge.memory import RoundMemory, with_memory
from cvat_bridge.progress import Advance
from cvat_bridge.questions import (
    ANSWER_ATTRIBUTE,
    BOX_LABEL,
    UNANSWERED,
    guide,
    in_card_order,
    job_mapping,
    links,
    review_labels,
    tag_label,
)
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Annotations, Job, Label, Task, User
from cvat_bridge.writer import CvatWriter, answered
from spam_model.data.clip import FrameSource
from spam_model.errors import FormatError, InputError
from spam_model.storage import write_atomically
from spam_model.values import NOTHING, Answer, Labels, Query, QueryKind

MAX_ROUNDS = 999
AskedCards = dict[str, tuple[Query, Card]]  # by file name
CardMaps = dict[str, tuple[float, float, float] | None]  # by query id: card px -> frame px, offset and scale


@dataclass(frozen=True)
class ReviewDesk:
    """Where questions about ``task`` are put to ``reviewers``; its project and tasks tell by name what they are."""

    task: Task
    reader: CvatReader
    writer: CvatWriter
    journal: Journal
    reviewers: tuple[User, ...] = ()

    @property
    def project_name(self) -> str:
        return f"{self.task.name} · review of task {self.task.id}"

    def round_name(self, number: int) -> str:
        return f"{self.task.name} · round {number}"

    def open_round(
        self,
        memory: RoundMemory,
        queries: tuple[Query, ...],
        frames: FrameSource,
        labels: Labels,
        progress: Advance,
    ) -> Task:
        """Makes the round's review task; called again after an interruption, it goes on where it stopped.

        ``memory`` tells of the round; questions and cards are added to it here.
        """
        number = memory.round
        ordered = in_card_order(queries)
        names = [card_file_name(number, position, query) for position, query in enumerate(ordered)]
        project = self.writer.review_project(self.project_name, review_labels())
        self.writer.project_guide(project.id, guide(self.task))  # the one that CVAT shows in the project's jobs
        paths = [self.journal.folder / "cards" / name for name in names]
        cards: AskedCards = {}
        for path, query in zip(paths, ordered, strict=True):
            card = compose_card(query, frames, CardContext(labels=labels))
            write_atomically(path, _png(card))
            cards[path.name] = (query, card)
            progress(1)
        task = self.writer.review_task(self.round_name(number), project.id, paths, job_mapping(ordered, names))
        rows = [
            CardRow(query.id, number, position, name, _map_row(card.to_frame))
            for position, (name, (query, card)) in enumerate(cards.items())
        ]
        self.journal.put_cards(rows)
        memory = replace(memory, queries=queries, to_frame={row.query_id: row.to_frame for row in rows})
        self.writer.task_guide(task.id, with_memory(links(self.task, ordered, names, self.reader.host), memory))
        self._lay_cards(task, cards)
        self.journal.put_round(RoundRow(number, task.id, "open"))
        return task

    def read_answers(self, row: RoundRow, queries: dict[str, Query]) -> tuple[tuple[Answer, ...], int]:
        """Answers of the round's completed jobs, and the number of jobs that are still with reviewers.

        A tag left at ``?`` is no answer; a rectangle in a completed job is one: moved, left, or deleted.

        Raises:
            ServerError: with status 404 where somebody deleted the review task.
        """
        if row.review_task is None:
            return (), 0
        names = [frame.name for frame in self.reader.data_meta(row.review_task).frames]
        maps = {card.query_id: card.to_frame for card in self.journal.cards()}
        answers: list[Answer] = []
        waiting = 0
        for job in self.reader.jobs(row.review_task):
            if job.state != "completed":
                waiting += 1
                continue
            answers += _job_answers(self.reader.annotations(job.id), job, names, queries, maps)
        return tuple(answers), waiting

    def review_tasks(self) -> dict[int, Task]:
        """Round -> its review task, by their names."""
        project = self.reader.project_named(self.project_name)
        found = self.reader.tasks_of(project.id) if project else ()
        numbers = {self.round_name(number): number for number in range(1, MAX_ROUNDS + 1)}
        return dict(sorted((numbers[task.name], task) for task in found if task.name in numbers))

    def find_round(self, number: int) -> int | None:
        """The round's review task by its name."""
        project = self.reader.project_named(self.project_name)
        found = self.reader.task_named(self.round_name(number), project.id) if project else None
        return found.id if found else None

    def is_untouched(self, review_task: int) -> bool:
        """Whether nobody has opened, answered or finished any of its jobs.

        CVAT sets a job to "in progress" when somebody opens it. A task whose cards were not all laid yet is untouched.

        Raises:
            ServerError: with status 404 where there is no such task.
        """
        for job in self.reader.jobs(self.reader.task(review_task).id):
            if job.state != "new" or job.stage != "annotation":
                return False
            standing = self.reader.annotations(job.id)
            if standing.tracks or any(answered(tag) != UNANSWERED for tag in standing.tags):
                return False
            if any(shape.source != "auto" for shape in standing.shapes):
                return False
        return True

    def _lay_cards(self, task: Task, cards: AskedCards) -> None:
        labels = {label.name: label for label in self.reader.labels(task.id)}
        by_frame = [Path(frame.name).name for frame in self.reader.data_meta(task.id).frames]
        for position, job in enumerate(self.reader.jobs(task.id)):
            tags, rectangles = {}, {}
            for frame in range(job.start_frame, job.stop_frame + 1):
                query, card = cards[by_frame[frame]]
                if query.kind is QueryKind.LOCALIZATION:
                    assert card.rectangle is not None
                    rectangles[frame] = (_label(labels, BOX_LABEL).id, card.rectangle)
                else:
                    label = _label(labels, tag_label(query))
                    spec = label.attribute(ANSWER_ATTRIBUTE)
                    if spec is None:
                        raise InputError(f"label {label.name!r} of the review project lost its attribute; restore it")
                    tags[frame] = (label.id, spec.id)
            self.writer.put_cards(job.id, tags, rectangles)
            if self.reviewers and job.assignee is None:
                self.writer.assign(job.id, self.reviewers[position % len(self.reviewers)])


def _job_answers(
    annotations: Annotations,
    job: Job,
    names: list[str],
    queries: dict[str, Query],
    maps: CardMaps,
) -> list[Answer]:
    asked = {frame: queries.get(_query_id(names[frame])) for frame in range(job.start_frame, job.stop_frame + 1)}
    answers = []
    for tag in annotations.tags:
        query = asked.get(tag.frame)
        if query and answered(tag) in query.choices:
            answers.append(Answer(query.id, answered(tag)))
    standing = {shape.frame for shape in annotations.shapes}
    answers += [
        Answer(query.id, NOTHING)
        for frame, query in asked.items()
        if query and query.kind is QueryKind.LOCALIZATION and frame not in standing
    ]
    for shape in annotations.shapes:
        query = asked.get(shape.frame)
        row = maps.get(query.id) if query else None
        if query and row and query.kind is QueryKind.LOCALIZATION and len(shape.points) == 4:
            x1, y1, x2, y2 = shape.points
            answers.append(Answer(query.id, box=LinearMap((row[0], row[1]), row[2]).box((x1, y1, x2, y2))))
    return answers


def _label(labels: dict[str, Label], name: str) -> Label:
    if name not in labels:
        raise InputError(f"the review project lacks the label {name!r}; delete the project in CVAT and sync again")
    return labels[name]


def _query_id(name: str) -> str:
    try:
        return parse_card_file_name(name).query_id
    except FormatError:
        return ""


def _map_row(to_frame: LinearMap | None) -> tuple[float, float, float] | None:
    return (*to_frame.offset, to_frame.scale) if to_frame else None


def _png(card: Card) -> bytes:
    good, data = cv2.imencode(".png", card.image)
    assert good
    return bytes(data)

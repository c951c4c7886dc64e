"""Queries as question cards in a review task of CVAT, and reviewers' answers back as answers.

One question is one card is one frame of a review task, in a project of its own. Cards of one kind of workspace share
a job: tags are answered with a digit in the attribute workspace, rectangles are dragged in the standard one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from cvat_bridge.cards import Card, CardContext, LinearMap, card_file_name, compose_card, parse_card_file_name
from cvat_bridge.journal import CardRow, Journal, RoundRow
from cvat_bridge.progress import Advance
from cvat_bridge.server import CvatReader
from cvat_bridge.wire import Annotations, Job, Label, Task, User
from cvat_bridge.writer import CvatWriter, answered
from spam_model.data.clip import FrameSource
from spam_model.errors import FormatError, InputError
from spam_model.storage import write_atomically
from spam_model.values import OPTION_LETTERS, Answer, Labels, Query, QueryKind

CARDS_PER_JOB = 25
BOX_LABEL = "box"
ANSWER_ATTRIBUTE = "answer"
UNANSWERED = "?"


def tag_label(query: Query) -> str:
    """The tag label of a card: one per set of choices, so that each digit key means what the card says."""
    return "valid" if query.kind is QueryKind.DETECTION else f"next of {len(query.options)}"


def review_labels() -> list[dict[str, object]]:
    """Labels of the review project."""

    def tag(name: str, choices: tuple[str, ...]) -> dict[str, object]:
        answer = {
            "name": ANSWER_ATTRIBUTE,
            "mutable": False,
            "input_type": "radio",
            "values": [UNANSWERED, *choices],
            "default_value": UNANSWERED,
        }
        return {"name": name, "type": "tag", "color": "#b4b4b4", "attributes": [answer]}

    link_tags = [
        tag(f"next of {count}", (*OPTION_LETTERS[:count], "nobody", "unsure"))
        for count in range(1, len(OPTION_LETTERS) + 1)
    ]
    box: dict[str, object] = {"name": BOX_LABEL, "type": "rectangle", "color": "#e69f00", "attributes": []}
    return [tag("valid", ("yes", "no", "unsure")), *link_tags, box]


@dataclass(frozen=True)
class ReviewPlace:
    """Names of the review project and of a round's task; they tell what they belong to."""

    task: Task

    @property
    def project(self) -> str:
        return f"{self.task.name} · review of task {self.task.id}"

    def round_task(self, number: int) -> str:
        return f"{self.task.name} · round {number}"


def in_card_order(queries: tuple[Query, ...]) -> tuple[Query, ...]:
    """Tags before rectangles, each by time: a reviewer follows the video."""
    return tuple(
        sorted(queries, key=lambda q: (q.kind is QueryKind.LOCALIZATION, q.subject[-1].frame, q.subject[0].frame, q.id))
    )


def job_mapping(queries: tuple[Query, ...], names: list[str]) -> list[list[str]]:
    """File names per job, tags and rectangles apart."""
    is_box = [query.kind is QueryKind.LOCALIZATION for query in queries]
    jobs = []
    for kind in (False, True):
        members = [name for name, box in zip(names, is_box, strict=True) if box is kind]
        jobs += [members[start : start + CARDS_PER_JOB] for start in range(0, len(members), CARDS_PER_JOB)]
    return jobs


def open_round(
    number: int,
    queries: tuple[Query, ...],
    place: ReviewPlace,
    frames: FrameSource,
    labels: Labels,
    writer: CvatWriter,
    reader: CvatReader,
    journal: Journal,
    reviewers: tuple[User, ...],
    progress: Advance,
) -> Task:
    """Makes the round's review task; called again after an interruption, it goes on where it stopped."""
    ordered = in_card_order(queries)
    names = [card_file_name(number, position, query) for position, query in enumerate(ordered)]
    project = writer.review_project(place.project, review_labels())
    paths = [journal.folder / "cards" / name for name in names]
    cards = []
    for path, query in zip(paths, ordered, strict=True):
        cards.append(compose_card(query, frames, CardContext(labels=labels)))
        write_atomically(path, _png(cards[-1]))
        progress(1)
    task = writer.review_task(place.round_task(number), project.id, paths, job_mapping(ordered, names))
    journal.put_cards(
        [
            CardRow(query.id, number, position, name, _map_row(card.to_frame))
            for position, (query, name, card) in enumerate(zip(ordered, names, cards, strict=True))
        ]
    )
    _lay_cards(task, dict(zip(names, zip(ordered, cards, strict=True), strict=True)), writer, reader, reviewers)
    writer.task_guide(task.id, guide(place, ordered, names, reader.host))
    journal.put_round(RoundRow(number, task.id, "open"))
    return task


def _lay_cards(
    task: Task,
    cards: dict[str, tuple[Query, Card]],
    writer: CvatWriter,
    reader: CvatReader,
    reviewers: tuple[User, ...],
) -> None:
    labels = {label.name: label for label in reader.labels(task.id)}
    by_frame = [Path(frame.name).name for frame in reader.data_meta(task.id).frames]
    for position, job in enumerate(reader.jobs(task.id)):
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
        writer.put_cards(job.id, tags, rectangles)
        if reviewers and job.assignee is None:
            writer.assign(job.id, reviewers[position % len(reviewers)])


def read_answers(
    row: RoundRow, queries: dict[str, Query], reader: CvatReader, journal: Journal
) -> tuple[tuple[Answer, ...], int]:
    """Answers of the round's completed jobs, and the number of jobs that are still with reviewers.

    A tag left at ``?`` is no answer; a rectangle in a completed job is one, moved or not.
    """
    if row.review_task is None:
        return (), 0
    names = [frame.name for frame in reader.data_meta(row.review_task).frames]
    maps = {card.query_id: card.to_frame for card in journal.cards()}
    answers: list[Answer] = []
    waiting = 0
    for job in reader.jobs(row.review_task):
        if job.state != "completed":
            waiting += 1
            continue
        answers += _job_answers(reader.annotations(job.id), job, names, queries, maps)
    return tuple(answers), waiting


def _job_answers(
    annotations: Annotations,
    job: Job,
    names: list[str],
    queries: dict[str, Query],
    maps: dict[str, tuple[float, float, float] | None],
) -> list[Answer]:
    asked = {frame: queries.get(_query_id(names[frame])) for frame in range(job.start_frame, job.stop_frame + 1)}
    answers = []
    for tag in annotations.tags:
        query = asked.get(tag.frame)
        if query and answered(tag) in query.choices:
            answers.append(Answer(query.id, answered(tag)))
    for shape in annotations.shapes:
        query = asked.get(shape.frame)
        row = maps.get(query.id) if query else None
        if query and row and query.kind is QueryKind.LOCALIZATION and len(shape.points) == 4:
            x1, y1, x2, y2 = shape.points
            answers.append(Answer(query.id, box=LinearMap((row[0], row[1]), row[2]).box((x1, y1, x2, y2))))
    return answers


def guide(place: ReviewPlace, queries: tuple[Query, ...], names: list[str], host: str) -> str:
    """What reviewers read beside their cards, in Markdown."""
    links = [
        f"- {name}: [frame {query.subject[-1].frame}]({host}/tasks/{place.task.id}?frame={query.subject[-1].frame})"
        for name, query in zip(names, queries, strict=True)
    ]
    return f"""# How to answer

Each frame is one question about the video of task {place.task.id}, "{place.task.name}".

**Questions with a tag** (workspace *Attribute annotation*): press the digit that stands beside your answer on the
card, then **F** for the next card. Leave `?` if you want to skip it.

**Questions with a rectangle** (workspace *Standard*): drag the rectangle until it fits the whole object, hidden parts
included. Leave it as it is if it fits.

When you are through: **Ctrl+S**, then *Menu → Finish the job*.

One object is one person or thing, whole, seen or partly hidden. Reflections, posters, parts of a body and boxes around
two people are none. "nobody" means: none of the pictures shows it.

## The frames behind the cards

{chr(10).join(links)}
"""


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

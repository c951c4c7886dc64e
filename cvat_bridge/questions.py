"""Queries in CVAT's terms: the tag labels that hold their choices, their order in jobs, and the reviewers' guide."""

from __future__ import annotations

from cvat_bridge.wire import Task
from spam_model.values import OPTION_LETTERS, Query, QueryKind

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


def guide(task: Task, queries: tuple[Query, ...], names: list[str], host: str) -> str:
    """What reviewers read beside their cards, in Markdown."""
    links = [
        f"- {name}: [frame {query.subject[-1].frame}]({host}/tasks/{task.id}?frame={query.subject[-1].frame})"
        for name, query in zip(names, queries, strict=True)
    ]
    return f"""# How to answer

Each frame is one question about the video of task {task.id}, "{task.name}".

**Questions with a tag** (workspace *Attribute annotation*): press the digit that stands beside your answer on the
card, then **F** for the next card. Leave `?` if you want to skip it.

**Questions with a rectangle** (workspace *Standard*): drag the rectangle until it fits the whole object, hidden parts
included. Leave it as it is if it fits. Delete it if there is nothing to fit.

When you are through: **Ctrl+S**, then *Menu → Finish the job*.

One object is one person or thing, whole, seen or partly hidden. Reflections, posters, parts of a body and boxes around
two people are none. "nobody" means: none of the pictures shows it.

## The frames behind the cards

{chr(10).join(links)}
"""

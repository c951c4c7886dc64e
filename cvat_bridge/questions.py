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


def links(task: Task, queries: tuple[Query, ...], names: list[str], host: str) -> str:
    """Which frames of the video stand behind each card, in Markdown."""
    lines = [
        f"- {name}: "
        + ", ".join(
            f"[{word} {number}]({host}/tasks/{task.id}?frame={number})" for word, number in _frames_behind(query)
        )
        for name, query in zip(names, queries, strict=True)
    ]
    return "\n".join(("# The frames behind the cards", "", *lines))


def guide(task: Task) -> str:
    """What reviewers read beside their cards, in Markdown."""
    return f"""# How to answer

Each frame is one question about the video of task {task.id}, "{task.name}".

**Questions with a tag** (workspace *Attribute annotation*): press the digit that stands beside your answer on the
card, then **F** for the next card. Leave `?` if you want to skip it.

- *Is this one person, in all pictures?* Yes if every coloured box is on one and the same person. No if it is no person
  at all.
- *Does every orange box show one person?* A doubtful piece of a track. It need not be the same person all along; the
  pictures with grey boxes, before and after, are there to compare.
- *Which one is the same person?* The large picture of each letter counts. It may be the one that you would not expect:
  people change places while one hides the other.
- *Where does this person appear next?* Anywhere in the video, perhaps seconds later and somewhere else: the small
  frame below a letter shows where. A time with a minus sign lies before the person was last seen. If several are
  right, take the earliest.
- "nobody" means: none of the pictures shows it. "unsure" is a fine answer, too.

**Questions with a rectangle** (workspace *Standard*):

- *Drag the rectangle until it fits* the whole object, hidden parts included. Leave it as it is if it fits. Delete it if
  there is nothing to fit.
- *Where is this person here?* The pictures at the left show whom to look for, before and after; where the rectangle
  lies is a guess. Drag it onto that person, whole. Leave it if it fits already. Delete it if the person cannot be seen
  there.

When you are through: **Ctrl+S**, then *Menu → Finish the job*.

One object is one person or thing, whole, seen or partly hidden. Reflections, posters, parts of a body and boxes around
two people are none.

The frames of the video behind each card are listed in the guide of the review task.
"""


def _frames_behind(query: Query) -> list[tuple[str, int]]:
    """The frames of the task that a card is about, with what they show."""
    if query.between:
        before, after = query.between
        return [("frame", query.subject[0].frame), ("before", before.frame), ("after", after.frame)]
    options = zip(OPTION_LETTERS, query.facing[1], strict=False)
    return [("frame", query.subject[-1].frame), *((letter, anchor.frame) for letter, anchor in options)]

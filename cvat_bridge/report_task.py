"""Gathers what a task's report shows: from the journal, and from CVAT as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from cvat_bridge.journal import Journal
from cvat_bridge.reporting import AskedQuestion, ReportData, RoundSummary, write_report
from cvat_bridge.retraining import retrainings
from spam_model.active.session import Session
from spam_model.data.clip import FrameSource
from spam_model.errors import InputError
from spam_model.storage import labels_from_bytes, read_bytes
from spam_model.values import Answer, Query


def report_task(
    journal: Journal, frames: FrameSource, path: Path, scores: Mapping[int, Mapping[str, float]] | None = None
) -> Path:
    """Writes the HTML report of a synced task.

    Args:
        scores: scores per round, where there is ground truth.

    Raises:
        InputError: the task was never synced.
    """
    session = journal.session()
    labels_file = journal.folder / "labels.safetensors"
    if session is None or not labels_file.exists():
        raise InputError("this task has not been synced yet: run cvat-bridge sync first")
    about = journal.get("model") or {}
    history = journal.get("history") or []
    seconds: dict[str, float] = {}
    for line in history:
        for stage, value in line["seconds"].items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    data = ReportData(
        title=frames.info.name,
        device=about.get("device", ""),
        model=about.get("model_version", ""),
        detector=about.get("detector", ""),
        detector_simulated=about.get("detector", "") == "simulated",
        labels=labels_from_bytes(read_bytes(labels_file)),
        rounds=tuple(
            RoundSummary(
                round=number,
                clicks=line["clicks"],
                effort=line["effort"],
                scores=(scores or {}).get(number),
                seconds=sum(line["seconds"].values()),
            )
            for number, line in enumerate(history)
        ),
        questions=_questions(journal, session),
        stage_seconds=seconds,
        retrainings=tuple(line.story for line in retrainings(journal)),
    )
    return write_report(data, frames, path)


def _questions(journal: Journal, session: Session) -> tuple[AskedQuestion, ...]:
    queries = {query.id: query for query in session.asked}
    answers = {answer.query_id: answer for answer in session.answers}
    return tuple(
        AskedQuestion(
            round=card.round,
            query=queries[card.query_id],
            answer=_in_words(queries[card.query_id], answers.get(card.query_id)),
            card=np.asarray(image, np.uint8),
        )
        for card in journal.cards()
        if (image := cv2.imread(str(journal.folder / "cards" / card.file_name))) is not None
    )


def _in_words(query: Query, answer: Answer | None) -> str:
    if answer is None:
        return ""
    if answer.box is None:
        return answer.choice
    moved = np.abs(np.subtract(answer.box, query.subject[0].box)).max() > 1
    return "moved" if moved else "confirmed"

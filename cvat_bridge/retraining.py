"""``sync --retrain``: between rounds, the detector learns from a task's own labels and answers; it is kept if better.

What was done is a line of the journal's document ``retrainings``. The line is entered in one piece after the new
weights and candidates are on the disk, and decides: the new candidates then take the place of the old ones, by whoever
opens the journal next if we are killed before. Without the line the old ones stay, whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from cvat_bridge.backend.local import source_candidates
from cvat_bridge.frames import TaskFrames
from cvat_bridge.journal import CANDIDATES_FILE, Journal
from cvat_bridge.lasting_ids import named_ids, with_lasting_ids
from cvat_bridge.progress import Progress
from spam_model.active.session import Session
from spam_model.detector_training.detectors import TRAINABLE, is_trainable
from spam_model.detector_training.finetune import GENTLY, Finetuned, Quality, finetune
from spam_model.detectors.registry import create_source
from spam_model.errors import InputError
from spam_model.storage import write_candidates
from spam_model.values import Candidates, Constraint, ConstraintKind, LabelResult, Query

DOCUMENT = "retrainings"
MOST_NAMED = 5  # answers, one by one


@dataclass(frozen=True)
class Retraining:
    """One retraining, as the journal keeps it.

    Attributes:
        number: counts from 1; names the files.
        round: after which it was.
        answers: how many there were.
        kind: of detector, ``yolov4-tiny`` for one.
        kept: whether the new detector is in force from here on.
        before, after: on held-out frames, against labels and answers.
        held_out_frames: how many.
    """

    number: int
    round: int
    answers: int
    kind: str
    kept: bool
    before: Quality
    after: Quality
    held_out_frames: int

    @property
    def candidates(self) -> str:
        """File name of the new candidates until they are in force."""
        return f"candidates-{self.number}.safetensors"

    @property
    def story(self) -> str:
        before, after = self.before, self.after
        return (
            f"{self.kind} retrained after round {self.round}: AP50 {before.ap50:.3f} → {after.ap50:.3f}, mean AP "
            f"{before.mean_ap:.3f} → {after.mean_ap:.3f} against labels and answers of {self.held_out_frames} "
            f"held-out frames; {'its candidates are in use' if self.kept else 'not better, so nothing was replaced'}"
        )


def weights_file(number: int) -> str:
    """Of a retraining, in the task's folder."""
    return f"detector-{number}.safetensors"


_LINES = TypeAdapter(tuple[Retraining, ...])


def retrainings(journal: Journal) -> tuple[Retraining, ...]:
    """All so far, kept or not, in order."""
    return _LINES.validate_python(journal.get(DOCUMENT) or ())


def detector_in_force(journal: Journal, first: str) -> str:
    """What ``--detector`` would be for the detector retrained last; ``first`` where none was kept."""
    kept = [line for line in retrainings(journal) if line.kept]
    return f"{kept[-1].kind}:{journal.folder / weights_file(kept[-1].number)}" if kept else first


def finish_replacement(journal: Journal) -> None:
    """Puts candidates in place that were decided for when the process was killed."""
    for line in retrainings(journal)[-1:]:
        if line.kept and (journal.folder / line.candidates).exists():
            (journal.folder / line.candidates).replace(journal.folder / CANDIDATES_FILE)


def check_trainable(backend: str, detector: str) -> None:
    """
    Raises:
        InputError: this detector cannot be trained from here.
    """
    if backend != "local":
        raise InputError(
            f"--retrain trains in this process, and this task's model is behind --backend {backend}; add --backend "
            "local, or leave --retrain out"
        )
    if not is_trainable(detector):
        raise InputError(
            f"--retrain: {detector} cannot be trained; leave --retrain out, or label the task anew in another --state "
            f"folder with --detector {TRAINABLE}"
        )


@dataclass(frozen=True)
class Retrainer:
    """Trains the detector of a task for ``minutes``, and replaces the task's candidates where it is better.

    Attributes:
        detector: the one in force, as ``--detector`` takes it.
        min_score: of the new candidates.
    """

    journal: Journal
    frames: TaskFrames
    detector: str
    min_score: float
    minutes: float
    progress: Progress = field(default_factory=Progress)

    def reason_against(self, session: Session, waiting: int) -> str:
        """Why now is not the time, in words; empty where it is."""
        rounds = self.journal.rounds()
        done = retrainings(self.journal)
        if waiting:
            return f"round {session.round} is still with reviewers: run it again when they have finished their jobs"
        if rounds and rounds[-1].state == "asking":
            return f"round {session.round} was interrupted while its questions were laid out, and goes first"
        if not len(session.constraints):
            return "nobody has answered anything yet"
        if done and done[-1].answers == len(session.answers):
            return "no answer has come in since the last time"
        return ""

    def run(
        self, candidates: Candidates, result: LabelResult, session: Session, queries: Sequence[Query]
    ) -> tuple[Candidates, Retraining]:
        """The task's candidates from here on, and what came of it.

        Args:
            candidates: as they were found.
            result: labels under all answers.
            queries: what could still be asked.

        Raises:
            InputError: the clip is too short, or one of its parts has no label.
            SpamError: weights or frames cannot be had.
        """
        number = len(retrainings(self.journal)) + 1
        done = finetune(
            self.frames,
            result.labels,
            session.constraints,
            self.detector,
            self.journal.folder / weights_file(number),
            candidates=candidates,
            queries=queries,
            schedule=replace(GENTLY, minutes=self.minutes),
            skipped=self.frames.deleted,
            progress=self.progress.shows,
        )
        line = self._line(number, done, session)
        if line.kept:
            found = with_lasting_ids(self._candidates(done.detector), candidates, named_ids(session))
            write_candidates(self.journal.folder / line.candidates, found)
            candidates = found
        self._enter(line)
        return candidates, line

    def _line(self, number: int, done: Finetuned, session: Session) -> Retraining:
        return Retraining(
            number=number,
            round=session.round,
            answers=len(session.answers),
            kind=self.detector.partition(":")[0],
            kept=done.is_better,
            before=done.on_labels.before,
            after=done.on_labels.after,
            held_out_frames=done.held_out_frames,
        )

    def _candidates(self, detector: str) -> Candidates:
        info = self.frames.info
        source = create_source(detector, class_names=info.class_names, min_score=self.min_score)
        numbers = self.frames.numbers()
        with self.progress.bar("new candidates", len(numbers), "frame") as advance:
            return source_candidates(source, info, self.frames.encoded_frames(numbers), advance)

    def _enter(self, line: Retraining) -> None:
        self.journal.put(DOCUMENT, _LINES.dump_python((*retrainings(self.journal), line), mode="json"))
        finish_replacement(self.journal)


def lost_answers(before: LabelResult, after: LabelResult, session: Session) -> tuple[str, ...]:
    """What became of the answers when candidates were replaced, in words.

    A rejected box that is not found again needs no care: what lies nowhere is in no track.
    """
    new = [item for item in after.unmatched if item not in before.unmatched]
    gone = [item for item in new if item.kind is ConstraintKind.REJECT]
    lost = [item for item in new if item.kind is not ConstraintKind.REJECT]
    found = len(session.constraints) - len(after.unmatched)
    lines = [f"{found} of {len(session.constraints)} constraints from answers hold for the new candidates"]
    if gone:
        lines.append(f"{len(gone)} rejected boxes are gone, or cannot be told from others for certain")
    if lost:
        names = ", ".join(_in_words(item) for item in lost[:MOST_NAMED])
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        lines.append(f"no new candidate fits {names}{more}: look at these frames in CVAT, and draw what is missing")
    return tuple(lines)


def _in_words(item: Constraint) -> str:
    frames = " and ".join(str(anchor.frame) for anchor in (item.first, item.second) if anchor is not None)
    return f"{item.kind} in frame {frames}"

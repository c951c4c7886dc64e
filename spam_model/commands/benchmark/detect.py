"""``spam-model benchmark detect``: how well and how fast eyes see."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from spam_model.command_line import format_table, print_json
from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.detectors.base import Appearance, Detector
from spam_model.detectors.registry import APPEARANCES, DETECTORS, create_appearance, create_detector, source_of
from spam_model.errors import InputError
from spam_model.evaluation import evaluate
from spam_model.evaluation.average_precision import detection_quality
from spam_model.evaluation.contenders import load_labeler
from spam_model.evaluation.eyes_speed import measure_eyes
from spam_model.values import Candidates, GroundTruth

LABEL_SCORE = 0.1  # of candidates that are labelled, and at which recall and candidates are counted

DESCRIPTION = f"""Average precision at IoU 0.5 (COCO's), recall and candidates a frame at score {LABEL_SCORE}, and
frames/s of each detector: of its boxes alone, and of boxes with embeddings. Frames are decoded beforehand, which does
not count; the first batch is run once more before, to warm up. "cpu ms" is processor time of all threads a frame, which
other programs disturb less than frames/s. With --labels the candidates are labelled as well (no click): HOTA and IDF1.

  spam-model benchmark detect TUD-Campus --detector yolov4-tiny --detector yolox-nano:yolox_nano.pth
  spam-model benchmark detect TUD-Campus --against yolov4-tiny+openvino:person-reidentification-retail-0288.xml

DETECTOR may name its own appearance model, DETECTOR+APPEARANCE. --against measures one more, and says how many times
faster than it the others are.

SEQ_DIR is a MOTChallenge folder with frames (video.* or img1/) and gt/gt.txt."""


@dataclass(frozen=True)
class Row:
    """Figures of one detector on one sequence; scores of labels are None without --labels."""

    sequence: str
    detector: str
    appearance: str
    device: str
    ap50: float
    recall: float
    candidates_per_frame: float
    box_frames_per_second: float
    frames_per_second: float
    cpu_ms_per_frame: float
    hota: float | None
    idf1: float | None


@dataclass(frozen=True)
class SpeedRatio:
    """Frames/s of ``detector`` over those of ``against``, boxes and embeddings."""

    sequence: str
    detector: str
    against: str
    times_faster: float


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "detect",
        help="average precision, recall and frames/s of detectors",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sequences", type=Path, nargs="+", metavar="SEQ_DIR", help="MOTChallenge folders, frames and gt"
    )
    parser.add_argument(
        "--detector",
        action="append",
        metavar="NAME",
        help=f"may be given several times (default: yolov4-tiny); {DETECTORS.partition(', file')[0]}",
    )
    parser.add_argument("--appearance", default="auto", metavar="NAME", help=f"{APPEARANCES} (default: %(default)s)")
    parser.add_argument("--against", metavar="NAME", help="another DETECTOR[+APPEARANCE] to compare the speed with")
    parser.add_argument("--classes", default="person", metavar="A,B", help="of COCO's classes (default: %(default)s)")
    parser.add_argument("--min-score", type=float, default=0.05, help="of what is detected (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="frames at a time (default: %(default)s)")
    parser.add_argument("--labels", action="store_true", help="label the candidates too, and score the labels")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.batch < 1:
        raise InputError(f"--batch {args.batch}: at least one frame at a time")
    if not 0 <= args.min_score <= LABEL_SCORE:
        raise InputError(f"--min-score {args.min_score}: give 0 … {LABEL_SCORE}, where recall is counted")
    names = [*(args.detector or ["yolov4-tiny"]), *([args.against] if args.against else [])]
    eyes = [_create(name, args) for name in names]
    sequences = [(_truth(folder), Clip.open(folder)) for folder in args.sequences]
    by_eyes = [
        [_measure(detector, appearance, truth, clip, args) for truth, clip in sequences]
        for detector, appearance in eyes
    ]
    rows = [row for of_one in by_eyes for row in of_one]
    ratios = _ratios(by_eyes) if args.against else []
    if args.json:
        result = {"min_score": args.min_score, "rows": [asdict(row) for row in rows]}
        print_json(result | {"against": [asdict(ratio) for ratio in ratios]})
        return 0
    header = [
        "sequence",
        "detector",
        "appearance",
        "device",
        "AP50 %",
        f"recall at {LABEL_SCORE} %",
        "candidates/frame",
    ]
    header += ["boxes frames/s", "frames/s", "cpu ms/frame", *(["HOTA", "IDF1"] if args.labels else [])]
    print(format_table(header, [_cells(row, args.labels) for row in rows]))
    for ratio in ratios:
        print(f"{ratio.detector}: {ratio.times_faster:.2f} times the frames/s of {ratio.against} on {ratio.sequence}")
    return 0


def _create(name: str, args: argparse.Namespace) -> tuple[Detector, Appearance]:
    spec, _, own = name.partition("+")
    classes = tuple(part.strip() for part in args.classes.split(","))
    detector = create_detector(spec, class_names=classes, min_score=args.min_score, device=args.device)
    return detector, create_appearance(own or args.appearance, device=args.device, detector=detector)


def _truth(folder: Path) -> GroundTruth:
    truth = read_truth(folder)
    if truth.ignored.all():
        raise InputError(f"{folder}: its gt/gt.txt has no box to find; nothing can be measured against it")
    return truth


def _measure(
    detector: Detector, appearance: Appearance, truth: GroundTruth, clip: Clip, args: argparse.Namespace
) -> Row:
    with tqdm(
        total=clip.info.frame_count, desc=f"{detector.name}, {clip.info.name}", unit="frame", disable=None
    ) as bar:
        measured = measure_eyes(detector, appearance, clip, batch=args.batch, progress=bar.update)
    found = measured.candidates
    quality = detection_quality([(found, truth)], min_score=LABEL_SCORE)
    kept = found.take(found.score >= LABEL_SCORE)
    hota, idf1 = _label_scores(kept, truth, args.device) if args.labels else (None, None)
    return Row(
        sequence=clip.info.name,
        detector=detector.name,
        appearance=source_of(detector, appearance).appearance,
        device=detector.device,
        ap50=quality.average_precision,
        recall=quality.recall,
        candidates_per_frame=len(kept) / clip.info.frame_count,
        box_frames_per_second=1 / measured.box_seconds,
        frames_per_second=1 / measured.seconds,
        cpu_ms_per_frame=1000 * measured.cpu_seconds,
        hota=hota,
        idf1=idf1,
    )


def _label_scores(candidates: Candidates, truth: GroundTruth, device: str) -> tuple[float, float]:
    scores = evaluate(truth, load_labeler(None, device).label(candidates).labels)
    return scores.hota, scores.idf1


def _ratios(by_eyes: list[list[Row]]) -> list[SpeedRatio]:
    *others, against = by_eyes
    return [
        SpeedRatio(
            sequence=row.sequence,
            detector=f"{row.detector}+{row.appearance}",
            against=f"{slow.detector}+{slow.appearance}",
            times_faster=row.frames_per_second / slow.frames_per_second,
        )
        for rows in others
        for row, slow in zip(rows, against, strict=True)
    ]


def _cells(row: Row, labels: bool) -> list[object]:
    cells: list[object] = [row.sequence, row.detector, row.appearance, row.device, 100 * row.ap50, 100 * row.recall]
    cells += [row.candidates_per_frame, row.box_frames_per_second, row.frames_per_second, row.cpu_ms_per_frame]
    return cells + ([row.hota, row.idf1] if labels else [])

"""``spam-model distill DATA…``: teaches a detector's feature maps to tell people apart (TDT).

An embedding head is trained to say of a person what a re-identification model says of the crop; afterwards one forward
pass of the detector gives boxes and embeddings, and the re-identification model is not needed any more. The detector
stays as it is. What detector and teacher say is cached, so that a second run, or one after an interrupt, only trains.

DATA: a folder of people (sets of images/ and labels/labels.csv), a MOTChallenge folder with frames and gt/gt.txt, a
video or folder of images (boxes are then the detector's own), or rendered:N for N streets that we render.
DATA=WEIGHT draws a set more or less often.

  spam-model distill PEOPLE rendered:6 --teacher openvino:person-reidentification-retail-0288.xml -o head.safetensors
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from spam_model.appearance.crops import CropAppearance
from spam_model.command_line import print_json
from spam_model.detectors.fetch import cache_folder
from spam_model.detectors.registry import create_appearance
from spam_model.detectors.small import Small
from spam_model.detectors.yolov4_tiny import YoloV4Tiny
from spam_model.device import resolve_device
from spam_model.errors import InputError
from spam_model.eyes.distillation import Distilled, Schedule, distil
from spam_model.eyes.embedding_head import EmbeddingHead, HeadShape
from spam_model.eyes.lessons import head_shape, make_lessons
from spam_model.eyes.people import People, gather_people
from spam_model.eyes.teacher_cache import ArrayCache


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "distill",
        help="teach a detector to embed what it finds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="images of people, see above")
    parser.add_argument(
        "--detector",
        default="yolov4-tiny",
        metavar="NAME",
        help="yolov4-tiny[:WEIGHTS], or small:WEIGHTS, which finds its head as WEIGHTS.head.safetensors beside it "
        "(default: %(default)s)",
    )
    parser.add_argument("--teacher", required=True, metavar="NAME", help="openvino:PATH.xml or resnet:PATH")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the head, as safetensors")
    parser.add_argument("--from", type=Path, dest="start", metavar="FILE", help="go on from this head")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training (default: %(default)g)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument("--looks", type=int, default=20_000, help="at people, to learn from (default: %(default)s)")
    parser.add_argument(
        "--dimension", type=int, help="of the embedding; the teacher's first so many numbers (default: all of them)"
    )
    parser.add_argument("--bfloat16", action="store_true", help="train in bfloat16: faster on GPUs and CPUs with AMX")
    parser.add_argument("--cache", type=Path, help="folder for what is cached (default: in the user's cache)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if not args.minutes > 0 or args.looks < 1 or (args.steps is not None and args.steps < 1):
        raise InputError("--minutes, --steps and --looks: distilling takes more than nothing")
    device = resolve_device(args.device)
    teacher = create_appearance(args.teacher, device=args.device)
    if not isinstance(teacher, CropAppearance):
        raise InputError(f"--teacher {args.teacher}: not a model that looks at crops; use openvino:PATH or resnet:PATH")
    dimension = args.dimension or teacher.dimension
    if not 0 < dimension <= teacher.dimension:
        raise InputError(f"--dimension {dimension}: the teacher has {teacher.dimension} numbers to learn")
    detector = _detector(args.detector, args.device)
    people = gather_people(args.data, detector, args.seed)
    shape = head_shape(detector, dimension)
    cache = ArrayCache(args.cache or cache_folder() / "distil")
    lessons = make_lessons(
        people.cutouts, people.chance, detector, teacher, shape, cache, count=args.looks, seed=args.seed
    )
    schedule = Schedule(minutes=args.minutes, steps=args.steps, bfloat16=args.bfloat16)
    print(f"spam-model: distilling on {device}, {len(lessons)} looks at people", file=sys.stderr)
    distilled = distil(lessons, _start(args, shape), schedule, args.seed, device, progress=True)
    about = _about(args, people, len(lessons), teacher.name, distilled)
    distilled.head.save(args.output, about)
    if args.json:
        print_json(about | {"output": str(args.output)})
    else:
        held_out = distilled.held_out
        print(
            f"held out: cosine to the teacher {held_out.cosine:.3f}; AUC {held_out.auc:.3f} (the teacher's "
            f"{held_out.teacher_auc:.3f})",
            file=sys.stderr,
        )
        print(args.output)
    return 0


def _detector(spec: str, device: str) -> YoloV4Tiny | Small:
    kind, _, path = spec.partition(":")
    if kind == "small" and path:
        return Small(Path(path), device=device)
    if kind == "yolov4-tiny":
        return YoloV4Tiny(device=device, embed=False, weights=Path(path) if path else None)
    raise InputError(f"--detector {spec}: no head stands on it; use yolov4-tiny[:WEIGHTS] or small:WEIGHTS")


def _start(args: argparse.Namespace, shape: HeadShape) -> EmbeddingHead:
    if args.start is None:
        torch.manual_seed(args.seed)
        return EmbeddingHead(shape)
    head = EmbeddingHead.load(args.start)
    if head.shape != shape:
        raise InputError(f"--from {args.start}: a head of {head.shape}, not of {shape}; leave --from away")
    return head


def _about(
    args: argparse.Namespace, people: People, looks: int, teacher: str, distilled: Distilled
) -> dict[str, object]:
    return {
        "detector": args.detector,
        "teacher": teacher,
        "from": None if args.start is None else args.start.name,
        "people": people.counts,
        "looks": looks,
        "steps": len(distilled.losses),
        "seed": args.seed,
        "parameters": sum(value.numel() for value in distilled.head.parameters()),
        "held_out": asdict(distilled.held_out),
    }

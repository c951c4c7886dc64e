"""``spam-model train-detector``: trains the small detector from random weights on images with boxes.

On several processes: ``torchrun --nproc-per-node 2 -m spam_model.cli train-detector …``.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import torch

from spam_model.command_line import print_json
from spam_model.commands.label import make_folder
from spam_model.detector_training.augment import Augmentation
from spam_model.detector_training.batches import Views
from spam_model.detector_training.coco_images import read_coco
from spam_model.detector_training.detectors import untrained_small
from spam_model.detector_training.loop import Schedule, train_detector
from spam_model.detector_training.people import find_people, read_people_folder
from spam_model.detector_training.samples import Joined, Samples
from spam_model.detector_training.sequences import read_sequence, render_sequences
from spam_model.detectors.trained_weights import write_trained
from spam_model.errors import InputError
from spam_model.training.loop import CHECKPOINT_SECONDS, Checkpoint
from spam_model.training.ranks import joined

WEIGHTS_NAME = "small.safetensors"
CHECKPOINT_NAME = "checkpoint.safetensors"
RENDERED_SEED = 7
DESCRIPTION = """Trains the small detector of people from random weights, and writes OUT/small.safetensors.

--data may be given several times; WEIGHT (default 1) is how often an image of it is drawn beside the others:
  people DIR [WEIGHT]           a set with images/ and labels/labels.csv, or a folder of such sets
  motchallenge DIR [WEIGHT]     a sequence folder with frames and gt/gt.txt
  coco FILE.json DIR [WEIGHT]   boxes in COCO's layout, and the folder of its images
  rendered N [WEIGHT]           N streets that we render, 16 frames of each

The batch of each step is a function of the seed and of its number, so a run that was stopped goes on with --resume.
The budget is in minutes of processor time; the learning rate falls to its end over it."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "train-detector",
        help="train the small detector from random weights on images with boxes",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", action="append", required=True, metavar="KIND", help="see above")
    parser.add_argument("--minutes", type=float, default=30.0, help="training time (default: %(default)g)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument("--batch", type=int, default=16, help="images in a step (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=_size,
        nargs="+",
        default=[(320, 256), (384, 224), (288, 288)],
        metavar="WxH",
        help="of the network's input, px, multiples of 32; each step takes one (default: 320x256 384x224 288x288)",
    )
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="(default: %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and views (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, settings unchanged")
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=CHECKPOINT_SECONDS, help="between checkpoints (default: 60)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the weights; prints their path."""
    if not args.minutes > 0 or (args.steps is not None and args.steps < 1):
        raise InputError("--minutes and --steps: training takes more than nothing")
    if args.batch < 1:
        raise InputError(f"--batch {args.batch}: a step takes one image or more")
    torch.set_num_threads(1)
    with joined(args.device) as ranks:
        make_folder(args.out)
        samples = Joined(tuple(part for words in args.data for part in _sets(words, args.out)))
        detector = untrained_small(args.seed, ranks.device)
        if ranks.leads:
            images = int(np.count_nonzero(samples.frequency))
            print(f"spam-model: training on {ranks.in_words()}, {images} images: {samples.name}", file=sys.stderr)
        done = train_detector(
            detector,
            samples,
            Views(tuple(args.size), args.batch, Augmentation()),
            Schedule(args.minutes, args.steps, args.learning_rate),
            args.seed,
            ranks,
            Checkpoint(args.out / CHECKPOINT_NAME, args.checkpoint_seconds, args.resume),
            progress=True,
        )
        if ranks.leads:
            weights = args.out / WEIGHTS_NAME
            about = {
                "data": samples.name,
                "steps": len(done.losses),
                "seed": args.seed,
                "command": command_line(args, ranks.size),
                "loss": np.round(done.losses[-max(1, len(done.losses) // 10) :].mean(axis=0), 3).tolist(),
            }
            write_trained(weights, "small", done.network, about, half=True)
            if args.json:
                print_json(about | {"weights": str(weights)})
            else:
                print(weights)
    return 0


def command_line(args: argparse.Namespace, processes: int) -> str:
    """What makes these weights again."""
    words = ["spam-model", "train-detector"]
    if processes > 1:
        words = ["torchrun", "--nproc-per-node", str(processes), "-m", "spam_model.cli", "train-detector"]
    for data in args.data:
        words += ["--data", *data]
    words += ["--minutes", f"{args.minutes:g}"] if args.steps is None else ["--steps", str(args.steps)]
    words += ["--batch", str(args.batch), "--size", *(f"{width}x{height}" for width, height in args.size)]
    return shlex.join([*words, "--learning-rate", f"{args.learning_rate:g}", "--seed", str(args.seed)])


def _sets(words: list[str], out: Path) -> list[Samples]:
    match words:
        case ["people", folder, *rest]:
            return [read_people_folder(found, _weight(rest)) for found in find_people(Path(folder))]
        case ["motchallenge", folder, *rest]:
            return [read_sequence(Path(folder), weight=_weight(rest))]
        case ["coco", file, folder, *rest]:
            return [read_coco(Path(file), Path(folder), weight=_weight(rest))]
        case ["rendered", count, *rest] if count.isdigit() and int(count) > 0:
            return [render_sequences(out / "rendered", int(count), RENDERED_SEED, weight=_weight(rest))]
    raise InputError(
        f"--data {' '.join(words)}: give people DIR, motchallenge DIR, coco FILE DIR or rendered N, then a weight"
    )


def _weight(words: list[str]) -> float:
    try:
        (text,) = words or ["1"]
        weight = float(text)
    except ValueError as error:
        raise InputError(f"--data … {' '.join(words)}: one number, the weight, comes last") from error
    if not 0 < weight < 1e6:
        raise InputError(f"--data … {text}: a weight is more than 0")
    return weight


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None or any(int(side) == 0 or int(side) % 32 for side in found.groups()):
        raise argparse.ArgumentTypeError(f"{text}: a size is WIDTHxHEIGHT, multiples of 32")
    return int(found[1]), int(found[2])

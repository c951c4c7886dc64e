"""``spam-model train``: trains the graph hierarchy and writes weights, card and curves.

On several processes: ``torchrun --nproc-per-node 2 -m spam_model.cli train …``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from spam_model.commands.label import make_folder
from spam_model.errors import InputError
from spam_model.storage import write_atomically
from spam_model.training.card import write_card, write_curves
from spam_model.training.examination import examine
from spam_model.training.loop import CHECKPOINT_SECONDS, Checkpoint, Run, Schedule, train
from spam_model.training.question_odds import fit_odds, simulated_labels
from spam_model.training.ranks import joined
from spam_model.training.recorded import motchallenge, motsynth
from spam_model.training.sources import Simulated, Source, mixed

WEIGHTS_NAME = "spam.safetensors"
ODDS_NAME = "questions.json"
ODDS_CLIPS, ODDS_SEED = 80, 2_000_003  # never clips of the training
CHECKPOINT_NAME = "checkpoint.safetensors"
DATA_HELP = (
    "simulated (default), motsynth DIR or motchallenge DIR; may be given several times, then clips come from each "
    "as often. Sequences without detections get a simulated detector"
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "train", help="train the graph hierarchy; needs no label and no video", description=__doc__
    )
    parser.add_argument("--data", nargs="+", action="append", metavar=("KIND", "DIR"), help=DATA_HELP)
    parser.add_argument("--detections", metavar="NAME", help="candidates of motchallenge folders from det/NAME.txt")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time (default: 10)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument("--seed", type=int, default=0, help="of clips and initial weights (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("weights"), help="folder for the results (default: weights)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, settings unchanged")
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=CHECKPOINT_SECONDS, help="between checkpoints (default: 60)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the weights, their card ``README.md``, the odds of the questions and ``curves.png``.

    Prints the path of the weights.
    """
    if args.steps is None and not args.minutes > 0:
        raise InputError(f"--minutes {args.minutes:g}: training takes more than 0 minutes")
    if args.steps is not None and args.steps < 1:
        raise InputError(f"--steps {args.steps}: training takes 1 step or more")
    source = mixed([_source(words, args.detections) for words in args.data or [["simulated"]]])
    checkpoint = Checkpoint(args.out / CHECKPOINT_NAME, args.checkpoint_seconds, args.resume)
    with joined(args.device) as ranks:
        if ranks.leads:
            make_folder(args.out)
            print(f"spam-model: training on {ranks.in_words()}, {source.name}", file=sys.stderr)
        done = train(source, Schedule(args.minutes, args.steps), args.seed, ranks, checkpoint, progress=True)
    if ranks.leads:
        weights = _write(done, command_line(args, ranks.size), args.out)
        checkpoint.path.unlink(missing_ok=True)
        print(weights)
    return 0


def command_line(args: argparse.Namespace, processes: int) -> str:
    """What makes these weights again."""
    words = ["spam-model", "train"]
    if processes > 1:
        words = ["torchrun", "--nproc-per-node", str(processes), "-m", "spam_model.cli", "train"]
    for data in args.data or []:
        words += ["--data", *data]
    if args.detections is not None:
        words += ["--detections", args.detections]
    words += ["--minutes", f"{args.minutes:g}"] if args.steps is None else ["--steps", str(args.steps)]
    return shlex.join([*words, "--seed", str(args.seed)])


def _source(words: list[str], detections: str | None) -> Source:
    match words:
        case ["simulated"]:
            return Simulated()
        case ["motsynth", folder]:
            return motsynth(Path(folder))
        case ["motchallenge", folder]:
            return motchallenge(Path(folder), detections)
    raise InputError(f"--data {' '.join(words)}: give simulated, motsynth DIR or motchallenge DIR")


def _write(done: Run, command: str, folder: Path) -> Path:
    examined = examine(done)
    weights = folder / WEIGHTS_NAME
    done.model.save(weights, about=examined.about())
    write_card(examined, command, folder / "README.md")
    odds = fit_odds(simulated_labels(done.model, ODDS_SEED + done.seed, ODDS_CLIPS))
    write_atomically(folder / ODDS_NAME, odds.to_json().encode())
    write_curves(done.losses, f"Training on {done.data}", folder / "curves.png")
    return weights

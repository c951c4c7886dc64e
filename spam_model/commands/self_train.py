"""``spam-model self-train TARGET…``: retrains the graph hierarchy on its own labels of the target; reads no truth.

The better of the two models is written, by how consistent its labels are when the clip is played slower or backwards.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from spam_model.command_line import print_json
from spam_model.commands.label import make_folder
from spam_model.commands.train import WEIGHTS_NAME
from spam_model.data.inputs import read_constraints, read_input
from spam_model.device import resolve_device
from spam_model.errors import InputError
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.storage import write_atomically
from spam_model.training.adapt import GENTLY, Adaptation, adapt
from spam_model.training.card import write_curves
from spam_model.training.consistency import LEAST_TRUSTED, MOST_FORGOTTEN
from spam_model.values import Constraints

CARD = """# Weights of the SPAM graph hierarchy, self-trained

Version `{version}`, from `{base}`.
Retrained on the model's own labels of {targets}, mixed half and half with simulated crowds; no ground truth was read.
{answers} answers of people were in force.

| | before | after {steps} steps | standard error of the difference |
| --- | --- | --- | --- |
| consistency on the target | {target.teacher:.4f} | {target.student:.4f} | {target.error:.4f} |
| IDF1 on held-out simulated crowds | {simulated.teacher:.4f} | {simulated.student:.4f} | {simulated.error:.4f} |

Consistency: IDF1 between the labels of the whole clip and those of the clip slower or backwards. The weights after are
kept where they are more consistent, by more than chance, have lost at most {forgotten:g} on the crowds, and where the
consistency before was {trusted:g} at least, so that the labels were worth learning from;
see `spam_model.training.consistency`. These are the weights {which}.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "self-train", help="retrain on the model's own labels of your video; needs no label", description=__doc__
    )
    parser.add_argument(
        "targets", type=Path, nargs="+", metavar="TARGET", help="candidates file or MOTChallenge folder"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, card and curves")
    parser.add_argument("--minutes", type=float, default=GENTLY.minutes, help="training time (default: %(default)g)")
    parser.add_argument("--steps", type=int, help="train this many steps, however long they take")
    parser.add_argument("--weights", type=Path, help="weights to start from (default: the shipped ones)")
    parser.add_argument("--detections", default="det", metavar="NAME", help="use det/NAME.txt of the folders")
    parser.add_argument("--constraints", type=Path, help="people's answers so far (JSON), with a single target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes ``spam.safetensors``, ``README.md`` and ``curves.png``; prints what was chosen."""
    if not args.minutes > 0 or (args.steps is not None and args.steps < 1):
        raise InputError("--minutes and --steps: training takes more than nothing")
    if args.constraints is not None and len(args.targets) > 1:
        raise InputError("--constraints speak of one clip; give a single target with them")
    clips = [read_input(target, args.detections) for target in args.targets]
    constraints = [read_constraints(args.constraints)] if args.constraints else [Constraints()] * len(clips)
    device = resolve_device(args.device)
    model = SpamModel.load(args.weights or SHIPPED_WEIGHTS).to(device)
    make_folder(args.out)
    print(f"spam-model: self-training on {device}, {len(clips)} clips", file=sys.stderr)
    schedule = replace(GENTLY, minutes=args.minutes, steps=args.steps)
    adapted = adapt(model, clips, constraints, schedule, args.seed, progress=True)

    weights = args.out / WEIGHTS_NAME
    names = ", ".join(clip.info.name for clip in clips)
    about = _about(adapted, names, model.version)
    adapted.model.save(weights, about=about)
    card = CARD.format(
        version=adapted.model.version,
        base=model.version,
        targets=names,
        answers=sum(len(items) for items in constraints),
        forgotten=MOST_FORGOTTEN,
        trusted=LEAST_TRUSTED,
        target=adapted.verdict.target,
        simulated=adapted.verdict.simulated,
        steps=len(adapted.losses),
        which="after" if adapted.verdict.prefers_student else "before: retraining did not help",
    )
    write_atomically(args.out / "README.md", card.encode())
    write_curves(adapted.losses, f"Self-training on {names}", args.out / "curves.png")
    if args.json:
        print_json(about | {"weights": str(weights)})
    else:
        print(weights)
    return 0


def _about(adapted: Adaptation, names: str, base: str) -> dict[str, object]:
    verdict = adapted.verdict
    return {
        "data": f"pseudo-labels of {names} + simulated",
        "base": base,
        "steps": len(adapted.losses),
        "verdict": asdict(verdict),
        "self_trained": verdict.prefers_student,
        "license": "Apache-2.0",
    }

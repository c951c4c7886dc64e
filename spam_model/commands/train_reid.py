"""``spam-model train-reid DATA -o WEIGHTS``: trains an appearance network to tell identities apart.

DATA is a folder of crops named as in Market-1501 (``0002_c1s1_000451_03.jpg``) or MSMT17, a folder of MOTChallenge
sequences with frames and gt/gt.txt, or a MOTSynth release with annotations and frames. One identity in ten is held out
(of twenty or more), and how well those are told apart before and after is printed: the AUC over pairs of their crops.

The weights serve as ``--appearance resnet:WEIGHTS``. Training wants a GPU. Both recipes expect weights to start from,
such as ImageNet's (``--initial``); without them training starts from random weights.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from spam_model.appearance.recipes import RECIPES, Recipe
from spam_model.appearance.reid_data import IdentityCrops, open_crops
from spam_model.appearance.reid_training import Budget, Checkpoint, separation, train_reid
from spam_model.appearance.reid_weights import load_reid, save_reid, with_config
from spam_model.appearance.resnet import ReidNetwork
from spam_model.command_line import print_json
from spam_model.device import resolve_device
from spam_model.errors import InputError

HELD_OUT = 10  # one identity in so many
LEAST_IDENTITIES = 20  # for any to be held out
LAST_STEPS = 20  # whose mean loss is told


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "train-reid",
        help="train an appearance network on crops with identities",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of crops, or of sequences")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="WEIGHTS", help=".safetensors file to write")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="msmt17", help="(default: %(default)s)")
    parser.add_argument("--variant", choices=("resnet18", "resnet50"), help="network (default: the recipe's)")
    parser.add_argument("--identities", type=int, metavar="P", help="identities in a batch (default: the recipe's)")
    parser.add_argument("--initial", type=Path, metavar="WEIGHTS", help="weights to start from; any ResNet checkpoint")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, help="training time; shrinks the recipe's schedule")
    budget.add_argument("--steps", type=int, help="steps; shrinks the recipe's schedule")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and batches (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on from WEIGHTS.checkpoint, settings unchanged")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the weights; prints their path, or with ``--json`` also losses and figures."""
    _check(args)
    recipe, device = _recipe(args), resolve_device(args.device)
    network = _first_network(args, recipe).to(device).eval()
    crops, held_out = _split(open_crops(args.data, (recipe.network.height, recipe.network.width)))
    print(
        f"spam-model: training a {recipe.network.variant} on {device.type}, {len(crops.identity)} crops of "
        f"{crops.identities} identities",
        file=sys.stderr,
    )
    figures: dict[str, object] = {
        "recipe": args.recipe,
        "variant": recipe.network.variant,
        "data": crops.name,
        "crops": len(crops.identity),
        "identities": crops.identities,
        "seed": args.seed,
    }
    if held_out is not None:
        figures |= {"held_out_identities": held_out.identities, "auc_before": separation(network, held_out)}
    checkpoint = Checkpoint(args.out.with_name(f"{args.out.name}.checkpoint"), args.resume)
    budget = Budget(args.minutes, args.steps)
    done = train_reid(network, crops, recipe, budget, seed=args.seed, checkpoint=checkpoint)
    softmax, triplet = done.losses[-LAST_STEPS:].mean(axis=0).tolist()
    figures |= {"steps": len(done.losses), "seconds": done.seconds, "softmax": softmax, "triplet": triplet}
    if held_out is not None:
        figures["auc"] = separation(network, held_out)
        print(
            f"AUC on {held_out.identities} identities held out: {figures['auc_before']:.3f} before, "
            f"{figures['auc']:.3f} after {len(done.losses)} steps",
            file=sys.stderr,
        )
    save_reid(args.out, network, figures)
    checkpoint.path.unlink(missing_ok=True)
    if args.json:
        print_json({"weights": str(args.out)} | figures)
    else:
        print(args.out)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.out.suffix != ".safetensors":
        raise InputError(f"-o {args.out}: weights are written as .safetensors; name the file so")
    if args.minutes is not None and not args.minutes > 0:
        raise InputError(f"--minutes {args.minutes:g}: training takes more than 0 minutes")
    if args.steps is not None and args.steps < 1:
        raise InputError(f"--steps {args.steps}: training takes 1 step or more")
    if args.identities is not None and args.identities < 2:
        raise InputError(f"--identities {args.identities}: a batch takes 2 identities or more")


def _recipe(args: argparse.Namespace) -> Recipe:
    recipe = RECIPES[args.recipe]
    if args.variant is not None:
        recipe = replace(recipe, network=replace(recipe.network, variant=args.variant))
    if args.identities is not None:
        recipe = replace(recipe, identities=args.identities)
    return recipe if args.initial is not None else replace(recipe, head_only=0)


def _first_network(args: argparse.Namespace, recipe: Recipe) -> ReidNetwork:
    torch.manual_seed(args.seed)
    if args.initial is None:
        return ReidNetwork(recipe.network)
    return with_config(load_reid(args.initial, recipe.network.variant), recipe.network)


def _split(crops: IdentityCrops) -> tuple[IdentityCrops, IdentityCrops | None]:
    """Those to train on and those held out, where there are enough."""
    identity = np.arange(crops.identities)
    if crops.identities < LEAST_IDENTITIES:
        return crops, None
    held_out = identity % HELD_OUT == HELD_OUT - 1
    return crops.of_identities(identity[~held_out]), crops.of_identities(identity[held_out])

"""``spam-model train``: trains the graph hierarchy on simulated clips and writes weights, card and curves."""

from __future__ import annotations

import argparse
from pathlib import Path

from spam_model.errors import InputError
from spam_model.training.card import write_card, write_curves
from spam_model.training.loop import train

WEIGHTS_NAME = "spam.safetensors"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("train", help="train the graph hierarchy; needs no label and no video")
    parser.add_argument("--data", choices=["simulated"], default="simulated", help="what to train on")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of clips and initial weights (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("weights"), help="folder for the results (default: weights)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes ``spam.safetensors``, ``README.md`` (the card) and ``curves.png``; prints the path of the weights."""
    if not args.minutes > 0:
        raise InputError(f"--minutes {args.minutes:g}: training takes more than 0 minutes")
    result = train(args.minutes, args.seed, progress=True)
    args.out.mkdir(parents=True, exist_ok=True)
    weights = args.out / WEIGHTS_NAME
    result.model.save(weights, about=result.about())
    write_card(result, args.out / "README.md")
    write_curves(result, args.out / "curves.png")
    print(weights)
    return 0

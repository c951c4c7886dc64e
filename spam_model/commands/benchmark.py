"""``spam-model benchmark effort``: quality against clicks with a simulated annotator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spam_model.active.strategies import DEFAULT_STRATEGY, STRATEGIES, create_strategy
from spam_model.command_line import format_table, print_json
from spam_model.data.inputs import read_input, read_truth
from spam_model.errors import InputError
from spam_model.evaluation.effort import EffortRow, effort_rows
from spam_model.labeler import Labeler

SCORES = ("HOTA", "AssA", "DetA", "MOTA", "IDF1")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("benchmark", help="measure the model against ground truth")
    kinds = parser.add_subparsers(title="benchmarks", metavar="KIND", required=True)
    effort = kinds.add_parser(
        "effort",
        help="quality against clicks",
        description="Runs the labelling loop with an annotator who answers from gt/gt.txt, for each budget and "
        "strategy. Effort counts clicks against labelling the ground truth by hand: 2 a box and 1 a link.",
    )
    effort.add_argument(
        "sequences", type=Path, nargs="+", metavar="SEQ_DIR", help="MOTChallenge folders with det and gt"
    )
    effort.add_argument("--budget", default="0,0.01,0.033,0.1", help="comma-separated fractions of the full effort")
    effort.add_argument("--strategy", default=DEFAULT_STRATEGY, help=f"comma-separated: {', '.join(STRATEGIES)}")
    effort.add_argument("--rounds", type=int, default=3, help="over how many rounds a budget is spread (default 3)")
    effort.add_argument("--detections", default="det", metavar="NAME", help="use det/NAME.txt")
    effort.add_argument("--error-rate", type=float, default=0.0, help="share of choices that the annotator gets wrong")
    effort.add_argument("--seed", type=int, default=0)
    effort.add_argument("--weights", type=Path, help="weights made by spam-model train")
    effort.add_argument("--device", default="auto", help="auto, cpu or cuda")
    effort.add_argument("--json", action="store_true", help="one JSON object on stdout")
    effort.set_defaults(run=run_effort)


def run_effort(args: argparse.Namespace) -> int:
    budgets, strategies = _budgets(args.budget), [name.strip() for name in args.strategy.split(",")]
    for name in strategies:
        create_strategy(name)
    if args.rounds < 1:
        raise InputError(f"--rounds {args.rounds}: a budget is spread over 1 or more rounds")
    if not 0 <= args.error_rate <= 1:
        raise InputError(f"--error-rate {args.error_rate:g}: a share between 0 and 1")
    inputs = [(folder, read_input(folder, args.detections), read_truth(folder)) for folder in args.sequences]
    labeler = Labeler.load(args.weights, args.device)
    rows: list[EffortRow] = []
    for folder, candidates, truth in inputs:
        for strategy in strategies:
            for budget in budgets:
                print(f"{folder.name}: {strategy} at {budget:.1%} …", file=sys.stderr)
                rows += effort_rows(
                    candidates,
                    truth,
                    labeler.label,
                    strategy,
                    budget,
                    rounds=args.rounds,
                    error_rate=args.error_rate,
                    seed=args.seed,
                )
    if args.json:
        print_json({"model": labeler.version, "rounds": args.rounds, "rows": [row.as_dict() for row in rows]})
    else:
        header = ("sequence", "strategy", "budget %", "round", "clicks", "effort %", *SCORES, "label s", "ask s")
        print(format_table(header, (_cells(row) for row in rows)))
    return 0


def _budgets(text: str) -> list[float]:
    try:
        budgets = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--budget {text}: give fractions separated by commas, for example 0,0.033,0.1") from error
    if not all(0 <= budget <= 1 for budget in budgets):
        raise InputError(f"--budget {text}: a budget is a fraction between 0 and 1")
    return budgets


def _cells(row: EffortRow) -> list[object]:
    scores = row.scores.as_dict()
    return [
        row.sequence,
        row.strategy,
        100 * row.budget,
        row.round,
        row.clicks,
        100 * row.effort,
        *(scores[name] for name in SCORES),
        row.label_seconds,
        row.ask_seconds,
    ]

"""``spam-model benchmark effort``: quality against clicks with a simulated annotator."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from spam_model.active.hierarchical_entropy import DEFAULT_SPLIT, SPLITS
from spam_model.active.loop import Label
from spam_model.active.registry import DEFAULT_STRATEGY, STRATEGIES, StrategySettings, create_strategy
from spam_model.command_line import format_table, print_json
from spam_model.commands.benchmark.common import (
    SCORES,
    SequenceInput,
    add_sequences,
    add_weights,
    numbers,
    run_all,
    sequences_of,
)
from spam_model.device import resolve_device
from spam_model.errors import InputError
from spam_model.evaluation import evaluate
from spam_model.evaluation.bounds import perfect_choice
from spam_model.evaluation.contenders import load_labeler, load_model
from spam_model.evaluation.contest import MEAN
from spam_model.evaluation.effort import EffortRow, effort_rows
from spam_model.evaluation.effort_summary import Point, Reached, clicks_to_reach, gap_closed, points, zero_click
from spam_model.evaluation.plots import effort_plot
from spam_model.labeler import Labeler, Unanswered
from spam_model.training.retraining import Retraining

DESCRIPTION = f"""Runs the labelling loop with an annotator who answers from gt/gt.txt, for every combination of
strategy, budget, rounds and error rate. Effort counts clicks against labelling the ground truth by hand: 2 a box and
1 a link. A row for each round (in JSON with round 0 of each run, the same in all); with several
sequences the mean of the last rounds as well. "gap" is how much of the way from no click to the perfect choice among
the candidates is gone, in percent of HOTA. "label s" is what labelling again with the answers of a round took, the
graph without answers being computed once a sequence; "ask s" what choosing and answering the questions took.

spam@NAME is the paper's scheme with the budget split of that name over the levels, spam@all all of them.
--against spam:0.033 tells what share of the clicks each strategy needs for the HOTA that spam has at 3.3 %; budgets in
between make it exact, since it reads along straight lines between them.

  spam-model benchmark effort data/tune/MOT17-val/* --strategy {DEFAULT_STRATEGY},spam \\
      --budget 0,0.005,0.01,0.02,0.033,0.1 --against spam:0.033 --plot effort.png
  spam-model benchmark effort data/tune/MOT17-val/* --rounds 1,3,5,10 --budget 0.033
  spam-model benchmark effort data/tune/MOT17-val/* --error-rate 0,0.05,0.1 --budget 0.033"""

NO_CLICK = "(no click)"


@dataclass(frozen=True)
class _Run:
    sequence: SequenceInput
    strategy: str  # as asked for, with its split
    settings: StrategySettings
    budget: float
    rounds: int
    error_rate: float
    retrain: float = 0.0


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "effort",
        help="quality against clicks, with a simulated annotator",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sequences(parser)
    parser.add_argument("--budget", default="0,0.01,0.033,0.1", help="comma-separated fractions of the full effort")
    parser.add_argument("--strategy", default=DEFAULT_STRATEGY, help=f"comma-separated: {', '.join(STRATEGIES)}")
    parser.add_argument(
        "--rounds", default="3", help="over how many rounds a budget is spread, comma-separated (default 3)"
    )
    parser.add_argument(
        "--error-rate", default="0", help="share of choices that the annotator gets wrong, comma-separated (default 0)"
    )
    parser.add_argument("--against", metavar="STRATEGY:BUDGET", help="clicks that the others need for its HOTA")
    parser.add_argument("--seed", type=int, default=0, help="of errors and of strategies that draw (default: 0)")
    parser.add_argument(
        "--ensemble", type=Path, nargs="+", default=[], metavar="WEIGHTS", help="what the strategy ensemble asks beside"
    )
    parser.add_argument(
        "--retrain",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="between rounds, let the model learn from its labels and the answers for so long (default: not at all)",
    )
    add_weights(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    budgets, error_rates = numbers(args.budget, "--budget"), numbers(args.error_rate, "--error-rate")
    rounds = _rounds(args.rounds)
    strategies = _strategies(args)
    against = _against(args.against, list(strategies), budgets)
    sequences = sequences_of(args)
    model = load_labeler(args.weights, args.device).version
    runs = [
        _Run(sequence, name, settings, budget, of_rounds, error_rate, args.retrain)
        for sequence in sequences
        for name, settings in strategies.items()
        for budget in budgets
        for of_rounds in rounds
        for error_rate in error_rates
    ]
    rows = [row for of_run in run_all(_work, runs, 1 if args.retrain else args.jobs, "effort") for row in of_run]
    bounds = {sequence.name: _bound(sequence) for sequence in sequences}
    ends = points(rows, bounds)
    reached = clicks_to_reach(ends, zero_click(rows), *against) if against else []
    if args.plot:
        effort_plot(ends, zero_click(rows), bounds, args.plot)
    if args.json:
        print_json(
            {
                "model": model,
                "rounds": rounds,
                "perfect_choice": bounds,
                "rows": [row.as_dict() | {"gap_closed": _gap(row, rows, bounds)} for row in rows],
                "mean": [point.as_dict() for point in ends if point.sequence == MEAN],
                "against": [one.as_dict() for one in reached],
            }
        )
        return 0
    header = ("sequence", "strategy", "budget %", "errors %", "round", "clicks", "effort %", *SCORES, "gap %")
    table = [_cells(row, _gap(row, rows, bounds)) for row in _once(rows)]
    table += [_mean_cells(point) for point in ends if point.sequence == MEAN]
    print(format_table((*header, "label s", "ask s"), table))
    if reached:
        print(f"\nEffort that it takes to have the HOTA of {args.against}:")
        columns = ("sequence", "strategy", "rounds", "errors %", "HOTA", "effort %", "share of its clicks %")
        print(format_table(columns, [_reached_cells(one) for one in reached]))
    return 0


def _work(run: _Run) -> list[EffortRow]:
    candidates, truth = run.sequence.read()
    labeler = load_labeler(run.settings.weights, run.settings.device)
    if run.retrain:
        model = load_model(run.settings.weights).to(resolve_device(run.settings.device))
        label: Label = Retraining.for_minutes(model, run.retrain, run.settings.seed).label
    else:
        label = partial(labeler.label, base=_unanswered(run.sequence, labeler))
    rows = effort_rows(
        candidates,
        truth,
        label,
        run.strategy.partition("@")[0],
        run.budget,
        rounds=run.rounds,
        error_rate=run.error_rate,
        seed=run.settings.seed,
        settings=run.settings,
    )
    return [replace(row, sequence=run.sequence.name, strategy=run.strategy) for row in rows]


@lru_cache(maxsize=4)
def _unanswered(sequence: SequenceInput, labeler: Labeler) -> Unanswered:
    """What all runs of a sequence begin with."""
    candidates, _ = sequence.read()
    return labeler.unanswered(candidates)


def _bound(sequence: SequenceInput) -> float:
    candidates, truth = sequence.read()
    return evaluate(truth, perfect_choice(candidates, truth)).hota


def _strategies(args: argparse.Namespace) -> dict[str, StrategySettings]:
    """What each strategy that is asked for needs, by its name as asked for.

    Raises:
        InputError: no such strategy or split, or the weights that it needs are not given.
    """
    result: dict[str, StrategySettings] = {}
    for text in args.strategy.split(","):
        name, at, split = text.strip().partition("@")
        splits = list(SPLITS) if split == "all" else [split] if at else [DEFAULT_SPLIT]
        for one in splits:
            settings = StrategySettings(args.seed, args.weights, tuple(args.ensemble), args.device, one)
            create_strategy(name, settings)
            result[f"{name}@{one}" if at else name] = settings
    return result


def _rounds(text: str) -> list[int]:
    try:
        rounds = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--rounds {text}: give whole numbers separated by commas, for example 1,3,5,10") from error
    if min(rounds) < 1:
        raise InputError(f"--rounds {text}: a budget is spread over 1 or more rounds")
    return rounds


def _against(text: str | None, strategies: list[str], budgets: list[float]) -> tuple[str, float] | None:
    """
    Raises:
        InputError: not the name of a strategy and a budget that are measured in this run.
    """
    if text is None:
        return None
    name, _, budget = text.rpartition(":")
    (value,) = numbers(budget, "--against") if name else (None,)
    if name not in strategies or value not in budgets:
        raise InputError(f"--against {text}: give STRATEGY:BUDGET, both of those measured in this run")
    return name, value


def _once(rows: list[EffortRow]) -> list[EffortRow]:
    """Every run of a sequence starts with the same labels, those without a click: one such row is enough for people."""
    first = {row.sequence: replace(row, strategy=NO_CLICK, budget=0.0) for row in reversed(rows) if row.round == 0}
    result: list[EffortRow] = []
    for row in rows:
        if row.sequence in first:
            result.append(first.pop(row.sequence))
        if row.round > 0:
            result.append(row)
    return result


def _gap(row: EffortRow, rows: list[EffortRow], bounds: dict[str, float]) -> float | None:
    return gap_closed(row.scores.hota, zero_click(rows)[row.sequence], bounds[row.sequence])


def _cells(row: EffortRow, gap: float | None) -> list[object]:
    scores = row.scores.as_dict()
    return [
        row.sequence,
        row.strategy,
        100 * row.budget,
        100 * row.error_rate,
        f"{row.round}/{row.rounds}",
        row.clicks,
        100 * row.effort,
        *(scores[name] for name in SCORES),
        None if gap is None else 100 * gap,
        row.label_seconds,
        row.ask_seconds,
    ]


def _mean_cells(point: Point) -> list[object]:
    setting = point.setting
    return [
        point.sequence,
        setting.strategy,
        100 * point.budget,
        100 * setting.error_rate,
        f"{setting.rounds}/{setting.rounds}",
        round(point.clicks),
        100 * point.effort,
        *(point.scores[name] for name in SCORES),
        None if point.gap_closed is None else 100 * point.gap_closed,
        None,
        None,
    ]


def _reached_cells(one: Reached) -> list[object]:
    effort = "not reached" if one.effort is None else f"{100 * one.effort:.2f}"
    share = None if one.share is None else 100 * one.share
    return [
        one.sequence,
        one.setting.strategy,
        one.setting.rounds,
        100 * one.setting.error_rate,
        one.hota,
        effort,
        share,
    ]

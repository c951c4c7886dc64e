"""``spam-model benchmark switches``: the model with its over-complete candidates and its node level switched off."""

from __future__ import annotations

import argparse

from spam_model.command_line import print_json
from spam_model.commands.benchmark.common import add_seeds, add_sequences, numbers, sequences_of
from spam_model.commands.benchmark.contest import contest_table, hold_contest
from spam_model.evaluation.contenders import load_labeler, switch_offs
from spam_model.evaluation.plots import contest_plot

DESCRIPTION = """Table 1 of the SPAM paper on this model: high-score candidates only; low-score candidates too, without
a node level; with the node level, kept by the detector's score or by the learned probability. Only what enters the
association changes; nothing is trained anew, and the length and score filter behind it stays as it is.

  spam-model benchmark switches data/tune/MOT17-val/*"""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "switches",
        help="parts of the model switched off (Table 1 of the paper)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sequences(parser)
    add_seeds(parser)
    parser.add_argument(
        "--high", default="0.7", help="least high score, as a share of the clip's strong scores (default: 0.7)"
    )
    parser.add_argument(
        "--probability", default="0.5", help="least probability where the learned node level decides (default: 0.5)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    (high,), (probability,) = numbers(args.high, "--high"), numbers(args.probability, "--probability")
    sequences = sequences_of(args)
    models = [load_labeler(weights, args.device).version for weights in args.weights]
    contenders = [
        variant for weights in args.weights for variant in switch_offs(weights, args.device, high, probability)
    ]
    rows = hold_contest(contenders, sequences, args.jobs, "switch-offs")
    if args.plot:
        contest_plot(rows, args.plot)
    if args.json:
        print_json({"models": models, "rows": [row.as_dict() for row in rows]})
    else:
        print(contest_table(rows))
    return 0

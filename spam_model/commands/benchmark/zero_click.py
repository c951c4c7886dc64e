"""``spam-model benchmark zero-click``: tracks without a click, beside a reference tracker and the bound."""

from __future__ import annotations

import argparse

from spam_model.command_line import print_json
from spam_model.commands.benchmark.common import add_seeds, add_sequences, sequences_of
from spam_model.commands.benchmark.contest import contest_table, hold_contest
from spam_model.evaluation.contenders import Contender, Spam, bound, load_labeler, references
from spam_model.evaluation.plots import contest_plot

DESCRIPTION = """HOTA, AssA, DetA, MOTA and IDF1 (TrackEval) of the model's tracks before anybody is asked anything,
on the same candidates as ByteTrack, with and without its gap filling, and as the perfect choice among the candidates,
which nothing beats but better boxes (smoothed, or drawn by people). Several --weights (seeds of one training, say) give
mean ± standard deviation. "mean" is over the sequences, "combined" over the boxes of all of them. frames/s is of this
run, in the processes of --jobs, one thread each.

  spam-model benchmark zero-click data/tune/MOT17-val/* --weights seed0.safetensors seed1.safetensors"""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "zero-click",
        help="tracks without a click, beside ByteTrack and the perfect choice",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sequences(parser)
    add_seeds(parser)
    parser.add_argument(
        "--reference",
        choices=["bytetrack", "none"],
        default="bytetrack",
        help="the tracker beside (default: bytetrack)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    sequences = sequences_of(args)
    models = [load_labeler(weights, args.device).version for weights in args.weights]
    contenders: list[Contender] = [Spam(weights=weights, device=args.device) for weights in args.weights]
    contenders += references() if args.reference == "bytetrack" else []
    contenders.append(bound())
    rows = hold_contest(contenders, sequences, args.jobs, "zero clicks")
    if args.plot:
        contest_plot(rows, args.plot)
    if args.json:
        print_json({"models": models, "rows": [row.as_dict() for row in rows]})
    else:
        print(contest_table(rows))
    return 0

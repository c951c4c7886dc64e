"""``spam-model benchmark nodes``: the learned node level against the detector's score."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spam_model.command_line import format_table, print_json
from spam_model.commands.benchmark.common import (
    SequenceInput,
    add_sequences,
    add_weights,
    run_all,
    sequences_of,
)
from spam_model.evaluation.contenders import load_labeler, load_model
from spam_model.evaluation.contest import MEAN
from spam_model.evaluation.matching import match_to_truth
from spam_model.evaluation.node_quality import NodeQuality, node_quality
from spam_model.evaluation.plots import node_plot

Row = dict[str, Any]

DESCRIPTION = """Precision of the candidates that are kept, once by the detector's score and once by the learned node
level, each with the threshold that gives the recall of the row. It is what settles whether the learned node level may
decide (see spam_model.graph.model.Decision). The picture shows both curves of every sequence.

  spam-model benchmark nodes data/tune/MOT17-val/* --plot nodes.png"""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "nodes",
        help="the learned node level against the detector's score",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sequences(parser)
    add_weights(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    sequences = sequences_of(args)
    model = load_model(args.weights)
    work = partial(_quality, weights=args.weights, device=args.device)
    found = run_all(work, sequences, args.jobs, "node level")
    if args.plot:
        node_plot(found, args.plot)
    rows = [
        {"sequence": quality.sequence, "recall": check.recall, "score": check.by_score, "learned": check.learned}
        for quality in found
        for check in quality.checks
    ]
    rows += _means(rows) if len(found) > 1 else []
    if args.json:
        decision = {"learned": model.decision.learned, "threshold": model.decision.threshold}
        print_json({"model": model.version, "decision": decision, "rows": rows})
        return 0
    header = ("sequence", "recall %", "precision by score %", "by learned %", "learned − score")
    print(format_table(header, [_cells(row) for row in rows]))
    print(f"These weights: the node level {model.decision.in_words()}.")
    return 0


def _quality(sequence: SequenceInput, weights: Path | None, device: str) -> NodeQuality:
    candidates, truth = sequence.read()
    identity, _ = match_to_truth(candidates, truth)
    return node_quality(candidates, load_labeler(weights, device).label(candidates).hierarchy, identity)


def _means(rows: Sequence[Row]) -> list[Row]:
    """Over the sequences, at each recall."""
    recalls = dict.fromkeys(row["recall"] for row in rows)
    at = {recall: [row for row in rows if row["recall"] == recall] for recall in recalls}
    return [
        {"sequence": MEAN, "recall": recall}
        | {name: float(np.mean([row[name] for row in of_recall])) for name in ("score", "learned")}
        for recall, of_recall in at.items()
    ]


def _cells(row: Row) -> list[object]:
    percent = [100 * row[name] for name in ("recall", "score", "learned")]
    return [row["sequence"], *percent, f"{percent[2] - percent[1]:+.1f}"]

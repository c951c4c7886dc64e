"""``spam-model benchmark calibration``: do the probabilities mean what they say, on real data and on simulation?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from spam_model.command_line import format_table, print_json
from spam_model.commands.benchmark.common import (
    SequenceInput,
    add_sequences,
    add_weights,
    run_all,
    sequences_of,
)
from spam_model.errors import InputError
from spam_model.evaluation.calibration import CalibrationRow, Decisions, calibration_rows
from spam_model.evaluation.contenders import load_labeler, load_model
from spam_model.evaluation.decisions import decisions_of, held_out_clip, joined
from spam_model.evaluation.matching import match_to_truth
from spam_model.evaluation.plots import reliability_plot

DESCRIPTION = """Expected calibration error (15 bins) of each level: over all decisions, and over those in doubt,
0.05 < p < 0.95, which are what questions are chosen by. Levels with under 200 decisions in doubt are pooled. Real
data are pooled over the sequences, and one row is printed for each sequence over all levels as well; --simulated N
measures N clips of the training's simulator that no training saw. The picture shows both as reliability diagrams.

True of an edge: same object, and nearest in time among its edges. Left out is what touches a distractor of the ground
truth, and from clips of 32 frames on what lies between two false positives, as in training.

  spam-model benchmark calibration data/tune/MOT17-val/* --simulated 24 --plot reliability.png"""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "calibration",
        help="do probabilities mean what they say?",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sequences(parser, least="*")
    add_weights(parser)
    parser.add_argument("--simulated", type=int, default=0, metavar="N", help="held-out simulated clips (default: 0)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    sequences = sequences_of(args)
    if args.simulated < 0 or (args.simulated == 0 and not sequences):
        raise InputError("nothing to measure: give sequences, or clips to simulate with --simulated 24")
    model = load_model(args.weights)
    work = partial(_decisions, weights=args.weights, device=args.device)
    parts = run_all(work, [*sequences, *range(args.simulated)], args.jobs, "calibration")
    real, simulated = parts[: len(sequences)], parts[len(sequences) :]
    found: dict[str, dict[int, Decisions]] = {}
    if real:
        found["real"] = joined(real)
    if simulated:
        found["simulated"] = joined(simulated)
    tables = {source: calibration_rows(decisions) for source, decisions in found.items()}
    if len(real) > 1:
        tables |= {s.name: _overall(decisions) for s, decisions in zip(sequences, real, strict=True)}
    if args.plot:
        reliability_plot(found, args.plot)
    if args.json:
        rows = [{"source": source, **asdict(row)} for source, of_source in tables.items() for row in of_source]
        print_json({"model": model.version, "rows": rows})
    else:
        print(calibration_table(tables))
    return 0


def calibration_table(tables: Mapping[str, tuple[CalibrationRow, ...]]) -> str:
    header = ("decisions of", "levels", "count", "ECE", "in doubt", "ECE in doubt")
    cells = [
        [
            source,
            _levels(row.levels),
            row.count,
            f"{row.error:.3f}",
            row.doubtful_count,
            f"{row.doubtful_error:.3f}" if row.doubtful_count else "–",
        ]
        for source, rows in tables.items()
        for row in rows
    ]
    return format_table(header, cells)


def _decisions(task: SequenceInput | int, weights: Path | None, device: str) -> dict[int, Decisions]:
    """Of a sequence, or of a simulated clip by its number."""
    if isinstance(task, int):
        candidates, identity = held_out_clip(task)
    else:
        candidates, truth = task.read()
        identity, _ = match_to_truth(candidates, truth)
    return decisions_of(candidates, load_labeler(weights, device).label(candidates).hierarchy, identity)


def _overall(decisions: dict[int, Decisions]) -> tuple[CalibrationRow, ...]:
    """All levels of one sequence in one row."""
    every = sum(len(truth) for _, truth in decisions.values())
    return calibration_rows(decisions, fewest=every + 1)


def _levels(levels: tuple[int, ...]) -> str:
    names = ["nodes" if level == 0 else f"{2**level} frames" for level in levels]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} pooled)"

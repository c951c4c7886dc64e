"""``spam-model evaluate GT_DIR PRED_DIR [--json]``: tracking metrics per sequence and combined."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from spam_model.evaluation import Evaluation, Scores, evaluate_folders

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score labels against ground truth",
        description="HOTA, DetA, AssA, LocA, MOTA and IDF1 in percent, IDSW, FP and FN as counts, by TrackEval.",
    )
    parser.add_argument("gt_dir", type=Path, metavar="GT_DIR", help="MOTChallenge folders <seq>/gt/gt.txt")
    parser.add_argument(
        "pred_dir",
        type=Path,
        metavar="PRED_DIR",
        help="result files <seq>.txt (MOTChallenge rows) or <seq>.json (COCO-video)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    evaluation = evaluate_folders(args.gt_dir, args.pred_dir)
    print(json.dumps(evaluation.as_dict()) if args.json else table(evaluation))
    return 0


def table(evaluation: Evaluation) -> str:
    """One line a sequence, the combined scores last."""
    lines = [*evaluation.sequences.items(), ("combined", evaluation.combined)]
    width = max(len(name) for name, _ in lines)
    header = "".join(f"{name:>8}" for name in evaluation.combined.as_dict())
    return "\n".join(
        [f"{'sequence':<{width}}{header}", *(f"{name:<{width}}{_cells(scores)}" for name, scores in lines)]
    )


def _cells(scores: Scores) -> str:
    return "".join(f"{value:8d}" if isinstance(value, int) else f"{value:8.1f}" for value in scores.as_dict().values())

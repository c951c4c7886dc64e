"""``spam-model benchmark appearance``: do embeddings tell the same from another person, across time?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spam_model.command_line import format_table, print_json
from spam_model.commands.benchmark.common import numbers
from spam_model.data.clip import Clip
from spam_model.data.inputs import read_truth
from spam_model.detectors.base import Appearance
from spam_model.detectors.registry import APPEARANCES, create_appearance
from spam_model.evaluation.appearance_auc import choose_crops, embed_crops, pair_auc

LONGEST_GAP = 3600.0  # s
DEFAULT_GAPS = "0.5,2"

DESCRIPTION = """Area under the ROC curve of embeddings on ground-truth boxes: the probability that two crops of one
person are more similar (cosine) than crops of two persons. Crops are at least half visible and half in the image, of
evenly spaced frames; pairs are all pairs of crops at least so many seconds apart, one column for each of --gaps. A
sequence too short for pairs of both kinds at a gap has none there.

  spam-model benchmark appearance TUD-Campus --appearance colour-histogram --appearance joint:yolov4-tiny

SEQ_DIR is a MOTChallenge folder with frames (video.* or img1/) and gt/gt.txt."""


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "appearance",
        help="do embeddings tell the same from another person, across time?",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sequences", type=Path, nargs="+", metavar="SEQ_DIR", help="MOTChallenge folders, frames and gt"
    )
    parser.add_argument(
        "--appearance",
        action="append",
        metavar="NAME",
        help=f"may be given several times (default: colour-histogram); {APPEARANCES}",
    )
    parser.add_argument(
        "--gaps", default=DEFAULT_GAPS, metavar="S,S", help="least seconds between crops (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    gaps = numbers(args.gaps, "--gaps", most=LONGEST_GAP)
    names = args.appearance or ["colour-histogram"]
    models = [(name, create_appearance(name, device=args.device)) for name in names]
    tasks = [(folder, name, model) for folder in args.sequences for name, model in models]
    rows = [
        _row(folder, name, model, gaps) for folder, name, model in tqdm(tasks, desc="embed", unit="run", disable=None)
    ]
    if args.json:
        print_json({"rows": rows})
        return 0
    header = ["sequence", "appearance", "size", "crops", "persons", *(f"AUC % from {gap:g} s" for gap in gaps)]
    print(format_table(header, [_cells(row) for row in rows]))
    return 0


def _row(folder: Path, name: str, model: Appearance, gaps: list[float]) -> dict[str, Any]:
    clip = Clip.open(folder)
    crops = choose_crops(read_truth(folder), clip.info.frame_count)
    embedding = embed_crops(crops, clip, model)
    pairs = [(gap, pair_auc(crops, embedding, clip.info.frame_rate, gap)) for gap in gaps]
    return {
        "sequence": clip.info.name,
        "appearance": name,
        "model": model.name,
        "dimension": model.dimension,
        "crops": len(crops),
        "identities": len(set(crops.track.tolist())),
        "gaps": [
            {
                "seconds": gap,
                "auc": count.auc if count.same and count.different else None,
                "same": count.same,
                "different": count.different,
            }
            for gap, count in pairs
        ],
    }


def _cells(row: dict[str, Any]) -> list[object]:
    aucs = [None if gap["auc"] is None else 100 * gap["auc"] for gap in row["gaps"]]
    return [row["sequence"], row["appearance"], row["dimension"], row["crops"], row["identities"], *aucs]

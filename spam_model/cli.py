"""The ``spam-model`` command: detect, label, evaluate, benchmark, train."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from spam_model import __version__
from spam_model.command_line import build_parser, run
from spam_model.commands import (
    benchmark,
    detect,
    distill,
    evaluate,
    fetch_weights,
    finetune_detector,
    label,
    self_train,
    track,
    train,
    train_detector,
    train_motion,
    train_reid,
)

DESCRIPTION = """Label tracks in video with a graph model that knows what it does not know.

typical order:
  spam-model detect VIDEO -o candidates.safetensors     over-complete candidates
  spam-model label candidates.safetensors -o OUT        tracks, and the questions that would pay most
  spam-model evaluate GT_DIR OUT                        HOTA, MOTA, IDF1 against ground truth
  spam-model benchmark effort SEQ_DIR                   quality against clicks, with a simulated annotator"""


def main(argv: Sequence[str] | None = None) -> int:
    commands = (
        detect,
        label,
        track,
        evaluate,
        benchmark,
        train,
        self_train,
        train_detector,
        train_motion,
        finetune_detector,
        train_reid,
        distill,
        fetch_weights,
    )
    return run(build_parser("spam-model", DESCRIPTION, commands, __version__), argv)


if __name__ == "__main__":
    sys.exit(main())

"""``spam-model benchmark KIND SEQ_DIR…``: the model measured against ground truth, one command for each figure."""

from __future__ import annotations

import argparse

from spam_model.commands.benchmark import appearance, calibration, detect, effort, motion, nodes, switches, zero_click

KINDS = (zero_click, switches, effort, nodes, calibration, detect, appearance, motion)
DESCRIPTION = """Measure the model against ground truth.

  zero-click   tracks without a click, beside ByteTrack and the best that the candidates allow
  switches     the same with parts of the model switched off (Table 1 of the SPAM paper)
  effort       quality against clicks, with a simulated annotator
  nodes        the learned node level against the detector's score
  calibration  do probabilities mean what they say?
  detect       average precision, recall and frames/s of detectors
  appearance   do embeddings tell the same from another person, across time?
  motion       boxes carried over 1, 5, 15 and 30 frames by what the pixels show

Each reads MOTChallenge folders <seq>/{det/det.txt,gt/gt.txt,seqinfo.ini} (the last three read <seq>/{video.*,img1/,
gt/gt.txt,seqinfo.ini}), prints a table, or with --json one JSON object, and all but the last three draw a picture with
--plot FILE.png. Ground truth is only measured against, never learned from."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "benchmark",
        help="measure the model against ground truth",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(title="benchmarks", metavar="KIND", required=True)
    for kind in KINDS:
        kind.add_parser(kinds)

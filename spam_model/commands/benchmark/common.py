"""What the benchmarks share: their arguments, their sequences, and processes to measure in."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from spam_model.data.inputs import read_input, read_truth
from spam_model.detectors.noisy import noisy_candidates
from spam_model.errors import InputError
from spam_model.values import Candidates, GroundTruth

NOISY = "noisy"
SCORES = ("HOTA", "AssA", "DetA", "MOTA", "IDF1")
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class SequenceInput:
    """A MOTChallenge folder with ``gt/gt.txt``, and ``det/<detections>.txt`` or candidates drawn from the truth."""

    folder: Path
    detections: str

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def read(self) -> tuple[Candidates, GroundTruth]:
        """
        Raises:
            InputError: a file is missing or does not read as it should.
        """
        return _read(self.folder, self.detections)


@lru_cache(maxsize=8)
def _read(folder: Path, detections: str) -> tuple[Candidates, GroundTruth]:
    truth = read_truth(folder)
    name, _, seed = detections.partition(":")
    if name == NOISY:
        return noisy_candidates(truth, seed=_seed(detections, seed)), truth
    return read_input(folder, detections), truth


def _seed(detections: str, seed: str) -> int:
    try:
        return int(seed or 0)
    except ValueError as error:
        raise InputError(f"--detections {detections}: give a whole number as seed, for example {NOISY}:1") from error


def add_sequences(parser: argparse.ArgumentParser, least: str = "+") -> None:
    """``SEQ_DIR…`` and what every benchmark says of them and of its output."""
    parser.add_argument("sequences", type=Path, nargs=least, metavar="SEQ_DIR", help="MOTChallenge folders, det and gt")
    parser.add_argument(
        "--detections",
        default="det",
        metavar="NAME",
        help=f"use det/NAME.txt (default: det); {NOISY}[:SEED] sees the truth through a detector's fitted noise",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes to measure in (default: 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw a picture of the figures as well")


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """Like ``add_weights``, for several at once."""
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[None], help="weights made by spam-model train, one or more seeds"
    )


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, help="weights made by spam-model train (default: the shipped ones)")


def sequences_of(args: argparse.Namespace) -> list[SequenceInput]:
    """The sequences, read once, so that what cannot be used is refused before the work.

    Raises:
        InputError: a sequence cannot be read, two have one name, or an option that all benchmarks share is no good.
    """
    if args.jobs < 1:
        raise InputError(f"--jobs {args.jobs}: at least one process has to do the work")
    if args.plot is not None and not args.plot.resolve().parent.is_dir():
        raise InputError(f"--plot {args.plot}: its folder does not exist")
    sequences = [SequenceInput(folder, args.detections) for folder in args.sequences]
    names = [sequence.name for sequence in sequences]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two sequences are called {name!r}; measure them apart, a table tells them by name")
    for sequence in sequences:
        sequence.read()
    return sequences


def numbers(text: str, option: str, least: float = 0.0, most: float = 1.0) -> list[float]:
    """``0,0.033,0.1`` as numbers of the range.

    Raises:
        InputError: no numbers, or one of them is out of range.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {text}: give numbers separated by commas, for example 0,0.033,0.1") from error
    if not all(least <= value <= most for value in values):
        raise InputError(f"{option} {text}: each has to lie between {least:g} and {most:g}")
    return values


def run_all(work: Callable[[_Task], _Result], tasks: Sequence[_Task], jobs: int, title: str) -> list[_Result]:
    """``work`` of every task, in their order; in ``jobs`` processes of one thread each, with a progress bar."""
    if min(jobs, len(tasks)) <= 1:
        return [work(task) for task in tqdm(tasks, desc=title, unit="run")]
    context = multiprocessing.get_context("spawn")  # a fork would take locks of torch's threads along
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, torch.set_num_threads, (1,)) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in tqdm(as_completed(futures), desc=title, total=len(tasks), unit="run"):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def with_spread(value: float, spread: float, several: bool) -> str:
    """``72.1``, or ``72.1 ± 0.3`` of several runs."""
    return f"{value:.1f} ± {spread:.1f}" if several else f"{value:.1f}"


def unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))

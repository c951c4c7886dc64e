"""Evaluation of a folder of result files against a folder of MOTChallenge sequences."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from spam_model.data.label_files import find_label_files, read_labels
from spam_model.data.motchallenge import find_sequence, read_ground_truth, read_sequence_info
from spam_model.errors import InputError
from spam_model.evaluation.scores import Evaluation, evaluate_many


def evaluate_folders(gt_dir: Path, pred_dir: Path) -> Evaluation:
    """Scores of every sequence's result against ``gt_dir/<seq>/gt/gt.txt``.

    The results are ``pred_dir/<seq>.txt`` (MOTChallenge rows) or ``pred_dir/<seq>.json`` (COCO-video).

    Raises:
        InputError: a folder is missing, no sequence has ground truth, or a result file has no sequence.
        FormatError: a file does not read as it should.
    """
    for folder in (gt_dir, pred_dir):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
    known = {path.parent.parent.name: path for path in sorted(gt_dir.glob("*/gt/gt.txt"))}
    if not known:
        raise InputError(f"{gt_dir}: no sequence with ground truth; expected <seq>/gt/gt.txt and <seq>/seqinfo.ini")
    results = find_label_files(pred_dir)
    unknown = [path.name for name, path in results.items() if name not in known and path.suffix == ".txt"]
    if unknown:
        raise InputError(f"{pred_dir}: {unknown[0]} has no ground truth; {gt_dir} holds {', '.join(known)}")
    missing = sorted(set(known) - set(results))
    if missing:
        raise InputError(
            f"{pred_dir}: no {missing[0]}.txt or .json; label that sequence first, or give a folder without it"
        )
    pairs = {}
    for name in tqdm(known, desc="read", unit="seq", leave=False):
        info = read_sequence_info(find_sequence(gt_dir / name).path)
        pairs[name] = (read_ground_truth(known[name], info), read_labels(results[name], info))
    return evaluate_many(pairs)

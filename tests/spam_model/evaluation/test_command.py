from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from spam_model.commands import evaluate
from spam_model.data.coco_video import write_coco_video
from spam_model.data.label_files import read_labels
from spam_model.data.motchallenge import read_sequence_info
from spam_model.errors import InputError
from tests.spam_model.evaluation.worlds import write_sequence


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    args = parser.parse_args(["evaluate", *argv])
    return int(args.run(args))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for seed, name in enumerate(("A", "B")):
        write_sequence(tmp_path / "gt", tmp_path / "pred", name, seed)
    return tmp_path / "gt", tmp_path / "pred"


def test_the_table_has_a_line_per_sequence_and_one_for_all(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*map(str, folders)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["sequence", "A", "B", "combined"]
    assert lines[0].split()[1:] == ["HOTA", "DetA", "AssA", "LocA", "MOTA", "IDF1", "IDSW", "FP", "FN"]


def test_json_is_one_object_and_agrees_with_the_table(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run(*map(str, folders), "--json")
    scores = json.loads(capsys.readouterr().out)
    run(*map(str, folders))
    table = capsys.readouterr().out.splitlines()
    assert set(scores) == {"sequences", "combined"}
    assert float(table[1].split()[1]) == pytest.approx(scores["sequences"]["A"]["HOTA"], abs=0.05)
    assert int(table[-1].split()[-1]) == scores["combined"]["FN"]
    assert scores["combined"]["FN"] == sum(part["FN"] for part in scores["sequences"].values())


def test_coco_video_files_score_as_rows_do(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gt_dir, pred_dir = folders
    run(str(gt_dir), str(pred_dir))
    expected = capsys.readouterr().out
    labels = read_labels(pred_dir / "A.txt", read_sequence_info(gt_dir / "A"))
    (pred_dir / "A.txt").unlink()
    write_coco_video(labels, pred_dir / "A.json")
    (pred_dir / "A.queries.json").write_text("{}")
    (pred_dir / "notes.json").write_text("{}")
    run(str(gt_dir), str(pred_dir))
    assert capsys.readouterr().out == expected


CASES = [
    ("two results", lambda gt, pred: (pred / "B.json").write_text("{}"), r"both B\.txt and B\.json"),
    ("a result is missing", lambda gt, pred: (pred / "B.txt").unlink(), "no B.txt"),
    ("a result has no truth", lambda gt, pred: (pred / "C.txt").write_text(""), "C.txt has no ground truth"),
    ("no truth at all", lambda gt, pred: [path.unlink() for path in gt.glob("*/gt/gt.txt")], "no sequence with"),
    ("no seqinfo", lambda gt, pred: (gt / "A" / "seqinfo.ini").unlink(), "seqinfo.ini: no such file"),
]


@pytest.mark.parametrize(("spoil", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_folders_that_do_not_fit_are_refused(folders: tuple[Path, Path], spoil: object, message: str) -> None:
    spoil(*folders)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        run(*map(str, folders))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run(str(tmp_path), str(tmp_path / "nowhere"))

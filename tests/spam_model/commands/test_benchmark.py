"""``spam-model benchmark effort``: a table for people, JSON for machines, and settings that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spam_model.labeler import Labeler
from tests.spam_model.commands.folders import Outcome, small_clip, spam_model, write_folder

Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *argv: spam_model(capsys, "benchmark", "effort", *argv)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("data")
    return [write_folder(root / name, small_clip(seed)) for name, seed in (("north", 4), ("south", 5))]


def test_json_has_a_row_per_sequence_strategy_budget_and_round(run: Run, folders: list[Path]) -> None:
    outcome = run(*folders, "--budget", "0,0.1", "--strategy", "spam, error-per-click", "--rounds", 2, "--json")
    rows = outcome.json["rows"]
    keys = [(row["sequence"], row["strategy"], row["budget"], row["round"]) for row in rows]
    budgets = [(0.0, 0), (0.1, 0), (0.1, 1), (0.1, 2)]
    assert keys == [
        (name, strategy, *part)
        for name in ("north", "south")
        for strategy in ("spam", "error-per-click")
        for part in budgets
    ]
    assert all(row["effort"] <= row["budget"] for row in rows)
    assert all(row["clicks"] == 0 for row in rows if row["round"] == 0)
    assert outcome.json["model"] == Labeler.load(device="cpu").version
    assert outcome.json["rounds"] == 2
    assert "north: spam at 10.0%" in outcome.err


def test_the_table_says_what_json_says(run: Run, folders: list[Path]) -> None:
    argv = (folders[0], "--budget", "0.05", "--rounds", 1)
    rows = run(*argv, "--json").json["rows"]
    header, _, *lines = run(*argv).out.splitlines()
    assert len(lines) == len(rows) == 2
    assert header.split()[0] == "sequence"
    for line, row in zip(lines, rows, strict=True):
        cells = line.split()
        assert cells[:2] == ["north", row["strategy"]]
        assert int(cells[4]) == row["clicks"]
        assert float(cells[6]) == pytest.approx(row["scores"]["HOTA"], abs=0.051)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--budget", "1.5"], "--budget 1.5: a budget is a fraction between 0 and 1"),
        (["--budget=-0.1"], "between 0 and 1"),
        (["--budget", "nan"], "between 0 and 1"),
        (["--budget", "0,lots"], "give fractions separated by commas"),
        (["--budget", ""], "give fractions separated by commas"),
        (["--strategy", "spam,best"], "no strategy is called 'best'"),
        (["--rounds", "0"], "--rounds 0"),
        (["--error-rate", "2"], "--error-rate 2"),
        (["--detections", "yolo"], "yolo.txt: no such file"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_the_work(
    run: Run, folders: list[Path], argv: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Labeler, "label", None)
    outcome = run(folders[0], *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert message in outcome.complaint


def test_a_sequence_without_truth_is_named_before_the_work(
    run: Run, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = write_folder(tmp_path / "bare", small_clip())
    (bare / "gt" / "gt.txt").unlink()
    monkeypatch.setattr(Labeler, "label", None)
    outcome = run(folders[0], bare)
    assert (outcome.code, outcome.out) == (2, "")
    assert "bare/gt/gt.txt: no such file" in outcome.complaint


def test_a_benchmark_needs_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = spam_model(capsys, "benchmark")
    assert outcome.code == 2
    assert "KIND" in outcome.complaint

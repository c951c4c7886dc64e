"""``spam-model benchmark effort``: a table for people, JSON for machines, and settings that cannot be used."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from spam_model.active.registry import DEFAULT_STRATEGY
from spam_model.commands.benchmark.common import run_all
from spam_model.labeler import Labeler
from tests.spam_model.commands.folders import Outcome, small_clip, spam_model, write_folder, write_weak_model

Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *argv: spam_model(capsys, "benchmark", "effort", *argv, "--jobs", 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("data")
    return [write_folder(root / name, small_clip(seed)) for name, seed in (("north", 4), ("south", 5))]


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weak_model(tmp_path_factory.mktemp("weights") / "weak.safetensors")


def test_json_has_a_row_per_sequence_strategy_budget_and_round(run: Run, folders: list[Path]) -> None:
    outcome = run(*folders, "--budget", "0,0.1", "--strategy", f"spam, {DEFAULT_STRATEGY}", "--rounds", 2, "--json")
    rows = outcome.json["rows"]
    keys = [(row["sequence"], row["strategy"], row["budget"], row["round"]) for row in rows]
    budgets = [(0.0, 0), (0.1, 0), (0.1, 1), (0.1, 2)]
    assert keys == [
        (name, strategy, *part)
        for name in ("north", "south")
        for strategy in ("spam", DEFAULT_STRATEGY)
        for part in budgets
    ]
    assert all(row["effort"] <= row["budget"] for row in rows)
    assert all(row["clicks"] == 0 for row in rows if row["round"] == 0)
    assert outcome.json["model"] == Labeler.load(device="cpu").version
    assert outcome.json["rounds"] == [2]
    assert {(row["rounds"], row["error_rate"]) for row in rows} == {(2, 0.0)}
    assert "8/8" in outcome.err  # the progress bar


def test_the_table_says_what_json_says(run: Run, folders: list[Path], weak: Path) -> None:
    argv = (folders[0], "--budget", "0,0.05", "--rounds", 1, "--weights", weak)
    no_click, again, asked = run(*argv, "--json").json["rows"]
    header, _, *lines = run(*argv).out.splitlines()
    assert no_click["scores"] == again["scores"], "a run starts where no click is made"
    assert len(lines) == 2
    assert header.split()[0] == "sequence"
    assert lines[0].split()[:3] == ["north", "(no", "click)"]
    cells = lines[1].split()
    assert cells[:2] == ["north", asked["strategy"]]
    assert cells[4] == "1/1"
    assert int(cells[5]) == asked["clicks"]
    assert float(cells[7]) == pytest.approx(asked["scores"]["HOTA"], abs=0.051)
    assert float(cells[12]) == pytest.approx(100 * asked["gap_closed"], abs=0.051)


def test_the_gap_is_from_no_click_to_the_perfect_choice(run: Run, folders: list[Path], weak: Path) -> None:
    result = run(folders[0], "--budget", "0.1", "--rounds", 2, "--weights", weak, "--json").json
    zero, *rows = result["rows"]
    assert zero["gap_closed"] == 0
    whole = result["perfect_choice"]["north"] - zero["scores"]["HOTA"]
    for row in rows:
        assert row["gap_closed"] == pytest.approx((row["scores"]["HOTA"] - zero["scores"]["HOTA"]) / whole)


def test_rounds_errors_and_splits_are_crossed_and_averaged_over_the_sequences(
    run: Run, folders: list[Path], tmp_path: Path
) -> None:
    argv = ("--budget", "0.05", "--rounds", "1,2", "--error-rate", "0,1", "--strategy", "spam@equal")
    picture = tmp_path / "effort.png"
    result = run(*folders, *argv, "--against", "spam@equal:0.05", "--plot", picture, "--json").json
    means = result["mean"]
    settings = {(row["strategy"], row["rounds"], row["error_rate"]) for row in means}
    assert len(settings) == len(means) == 2 * 2
    last = {(row["sequence"], row["strategy"], row["rounds"], row["error_rate"]): row for row in result["rows"]}
    for mean in means:
        key = mean["strategy"], mean["rounds"], mean["error_rate"]
        of_sequences = [last[name, *key]["scores"]["HOTA"] for name in ("north", "south")]
        assert mean["scores"]["HOTA"] == pytest.approx(sum(of_sequences) / 2)
    against = result["against"]
    assert len(against) == 3 * 4  # the two sequences and their mean
    assert {round(row["share"], 9) for row in against} <= {0.0, 1.0}, "it needs its own clicks, or none"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_processes_give_results_in_the_order_of_the_tasks() -> None:
    assert run_all(math.factorial, [5, 3, 4, 2], 2, "test") == [120, 6, 24, 2]
    with pytest.raises(ValueError, match="not defined for negative"):
        run_all(math.factorial, [1, -1], 1, "test")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--budget", "1.5"], "--budget 1.5: each has to lie between 0 and 1"),
        (["--budget=-0.1"], "between 0 and 1"),
        (["--budget", "nan"], "between 0 and 1"),
        (["--budget", "0,lots"], "give numbers separated by commas"),
        (["--budget", ""], "give numbers separated by commas"),
        (["--strategy", "spam,best"], "no strategy is called 'best'"),
        (["--strategy", "spam@best"], "no budget split is called 'best'"),
        (["--strategy", "ensemble"], "weights"),
        (["--rounds", "0"], "--rounds 0"),
        (["--rounds", "1,many"], "give whole numbers"),
        (["--against", "spam:0.033"], "both of those measured in this run"),
        (["--against", "spam"], "give STRATEGY:BUDGET"),
        (["--plot", "/nowhere/effort.png"], "its folder does not exist"),
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

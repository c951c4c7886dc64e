"""``spam-model benchmark`` zero-click, switches, nodes and calibration: what each prints, and that it adds up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spam_model.data.inputs import read_input, read_truth
from spam_model.evaluation import evaluate
from spam_model.evaluation.bounds import perfect_choice
from spam_model.graph.model import SHIPPED_WEIGHTS
from spam_model.labeler import Labeler
from tests.spam_model.commands.folders import Outcome, small_clip, spam_model, write_folder, write_weak_model

Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda kind, *argv: spam_model(capsys, "benchmark", kind, *argv, "--jobs", 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("data")
    return [write_folder(root / name, small_clip(seed)) for name, seed in (("north", 4), ("south", 5))]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that differ."""
    return [SHIPPED_WEIGHTS, write_weak_model(tmp_path_factory.mktemp("weights") / "weak.safetensors")]


def test_zero_click_sets_the_model_beside_bytetrack_and_the_bound(run: Run, folders: list[Path]) -> None:
    pytest.importorskip("supervision")
    rows = run("zero-click", *folders, "--json").json["rows"]
    places, trackers = ("north", "south", "mean", "combined"), ("SPAM", "ByteTrack", "ByteTrack, gaps ≤ 20 filled")
    assert [(row["sequence"], row["contender"]) for row in rows] == [
        (place, name) for place in places for name in (*trackers, "perfect choice")
    ]
    hota = {(row["sequence"], row["contender"]): row["scores"]["HOTA"] for row in rows}
    perfect = perfect_choice(read_input(folders[0]), read_truth(folders[0]))
    assert hota["north", "perfect choice"] == evaluate(read_truth(folders[0]), perfect).hota
    for name in trackers:
        assert hota["mean", name] == pytest.approx((hota["north", name] + hota["south", name]) / 2)
    alone = evaluate(read_truth(folders[0]), Labeler.load(device="cpu").label(read_input(folders[0])).labels)
    assert hota["north", "SPAM"] == alone.hota


def test_zero_click_of_several_seeds_has_mean_and_spread(run: Run, folders: list[Path], seeds: list[Path]) -> None:
    argv = ("zero-click", folders[0], "--reference", "none", "--json", "--weights")
    alone = [run(*argv, seed).json["rows"][0]["scores"]["HOTA"] for seed in seeds]
    both = run(*argv, *seeds)
    row = both.json["rows"][0]
    assert len(set(both.json["models"])) == 2
    assert row["seeds"] == 2
    assert row["scores"]["HOTA"] == pytest.approx(sum(alone) / 2)
    assert row["spread"]["HOTA"] == pytest.approx(abs(alone[0] - alone[1]) / 2**0.5)
    assert alone[0] != alone[1]
    table = run(*(part for part in argv if part != "--json"), *seeds).out
    assert f"{row['scores']['HOTA']:.1f} ± {row['spread']['HOTA']:.1f}" in table


def test_switches_has_a_row_for_every_switch_off(run: Run, folders: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "switches.png"
    rows = run("switches", folders[0], "--plot", picture, "--json").json["rows"]
    names = [row["contender"].split(",")[0].split(" (")[0] for row in rows]
    assert names == ["high scores only", "low scores too", "node level", "node level"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    everything, high = rows[1], rows[0]
    assert everything["scores"]["FN"] <= high["scores"]["FN"], "more candidates miss less"
    assert everything["scores"]["FP"] >= high["scores"]["FP"]


def test_nodes_compares_precision_at_equal_recall(run: Run, folders: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "nodes.png"
    outcome = run("nodes", *folders, "--plot", picture, "--json").json
    rows = outcome["rows"]
    assert [(row["sequence"], row["recall"]) for row in rows] == [
        (place, recall) for place in ("north", "south", "mean") for recall in (0.8, 0.9, 0.95, 0.98)
    ]
    assert all(0 < row[name] <= 1 for row in rows for name in ("score", "learned"))
    assert rows[-1]["learned"] == pytest.approx((rows[3]["learned"] + rows[7]["learned"]) / 2)
    assert outcome["decision"] == {"learned": False, "threshold": 0.45}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_calibration_measures_real_and_simulated_decisions(run: Run, folders: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "reliability.png"
    rows = run("calibration", *folders, "--simulated", 1, "--plot", picture, "--json").json["rows"]
    of = {name: [row for row in rows if row["source"] == name] for name in ("real", "simulated", "north", "south")}
    assert sum(map(len, of.values())) == len(rows)
    assert all(of.values())
    count = {name: sum(row["count"] for row in part) for name, part in of.items()}
    assert count["real"] == count["north"] + count["south"]
    assert all(0 <= row["error"] <= 1 and 0 <= row["doubtful_error"] <= 1 for row in rows)
    assert all(row["doubtful_count"] >= 200 for row in rows if len(row["levels"]) == 1)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_calibration_needs_something_to_measure(run: Run) -> None:
    outcome = run("calibration")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--simulated 24" in outcome.complaint


def test_truth_alone_is_enough_with_noisy_candidates(run: Run, folders: list[Path]) -> None:
    argv = ("zero-click", folders[0], "--reference", "none", "--json", "--detections")
    first, again, other = (run(*argv, name).json["rows"][-1]["scores"] for name in ("noisy", "noisy:0", "noisy:1"))
    assert first == again
    assert first != other
    assert "whole number as seed" in run(*argv, "noisy:x").complaint


@pytest.mark.parametrize("kind", ["zero-click", "switches", "nodes", "calibration", "effort"])
def test_every_kind_refuses_what_it_cannot_measure_and_explains_itself(
    run: Run, folders: list[Path], tmp_path: Path, kind: str
) -> None:
    missing = run(kind, tmp_path / "nowhere")
    assert (missing.code, missing.out) == (2, "")
    assert "nowhere" in missing.complaint
    twice = run(kind, folders[0], folders[0])
    assert (twice.code, twice.out) == (2, "")
    assert "two sequences are called 'north'" in twice.complaint
    assert "spam-model benchmark " + kind in run(kind, "--help").out

"""The demo, as a person starts it: the whole loop on the embedded servers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cvat_bridge.cli import main

Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Told:
    """What a demo printed."""

    story: str
    result: dict[str, Any]


def _demo(capsys: Capture, out: Path, *args: str) -> Told:
    assert main(["demo", "-o", str(out), "--json", *args]) == 0
    printed = capsys.readouterr()
    return Told(printed.err, json.loads(printed.out))


@pytest.fixture(scope="module")
def remembered() -> dict[str, Told]:
    """Results of the tests before, to be compared."""
    return {}


@pytest.mark.parametrize("backend", ["remote", "local"])
def test_the_demo_runs_its_loop_within_the_budget_and_the_labels_do_not_get_worse(
    backend: str, sequence: Path, tmp_path: Path, capsys: Capture, remembered: dict[str, Told]
) -> None:
    args = ("--sequence", str(sequence), "--budget", "0.01", "--rounds", "2", "--backend", backend)
    args += ("--detector", "simulated")
    told = _demo(capsys, tmp_path, *args)
    remembered[backend] = told
    rounds = told.result["rounds"]
    assert {"task_id", "detector", "backend", "report", "seconds", "rounds"} <= told.result.keys()
    assert (told.result["detector"], told.result["backend"]) == ("simulated", backend)
    assert len(rounds) == 3
    assert [line["phase"] for line in rounds] == ["waiting", "waiting", "done"]
    assert [line["clicks"] for line in rounds] == sorted(line["clicks"] for line in rounds)
    assert 0 < rounds[-1]["clicks"] <= rounds[-1]["budget_clicks"]
    assert rounds[-1]["scores"]["HOTA"] >= rounds[0]["scores"]["HOTA"] - 1
    assert all(0 <= line["scores"][name] <= 100 for line in rounds for name in ("HOTA", "DetA", "AssA", "IDF1"))
    report = Path(told.result["report"]).read_text()
    assert "<html" in report
    assert "http://" not in report.split("<body")[0]
    assert "simulated" in told.story
    credentials = json.loads((tmp_path / "server" / "credentials.json").read_text())
    assert not any(password in told.story + report for password in credentials.values())


def test_both_backends_ask_spend_and_score_the_same(remembered: dict[str, Told]) -> None:
    if len(remembered) < 2:
        pytest.skip("needs both demos before it")
    remote, local = (
        [
            (line["clicks"], line["questions"], line["changes"], {k: round(v, 6) for k, v in line["scores"].items()})
            for line in remembered[backend].result["rounds"]
        ]
        for backend in ("remote", "local")
    )
    assert remote == local


def test_a_video_without_ground_truth_ends_with_open_review_jobs(
    sequence: Path, tmp_path: Path, capsys: Capture
) -> None:
    detector = f"file:{sequence / 'det' / 'det.txt'}"
    args = ("--video", str(sequence / "video.mp4"), "--detector", detector, "--backend", "local", "--budget", "0.01")
    told = _demo(capsys, tmp_path, *args)
    (only,) = told.result["rounds"]
    assert (only["phase"], only["scores"], only["clicks"]) == ("waiting", None, 0)
    assert only["questions"] > 0
    assert only["waiting_jobs"] > 0
    assert Path(told.result["report"]).exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--video", "/nowhere/a.mp4"], "--video /nowhere/a.mp4: no such file"),
        (["--sequence", "/nowhere"], "/nowhere"),
        (["--sequence", "{sequence}", "--detector", "magic", "--backend", "local"], "magic"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    args: list[str], message: str, sequence: Path, tmp_path: Path, capsys: Capture
) -> None:
    filled = [argument.replace("{sequence}", str(sequence)) for argument in args]
    assert main(["demo", "-o", str(tmp_path), "--json", *filled]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    last = printed.err.strip().splitlines()[-1]
    assert message in last
    assert "Traceback" not in printed.err

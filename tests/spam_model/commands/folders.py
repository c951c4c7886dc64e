"""MOTChallenge folders from simulated clips, and the command line called as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from spam_model import cli
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.simulation import SimulatedClip, SimulationConfig, simulate


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; anything beside it is an error."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def complaint(self) -> str:
        """The last line on stderr: what went wrong."""
        return self.err.rstrip("\n").splitlines()[-1]


def spam_model(capsys: pytest.CaptureFixture[str], *argv: object) -> Outcome:
    capsys.readouterr()
    try:
        code = cli.main([str(part) for part in argv])
    except SystemExit as error:  # argparse
        code = int(error.code or 0)
    return Outcome(code, *capsys.readouterr())


def small_clip(seed: int = 4) -> SimulatedClip:
    return simulate(SimulationConfig(frame_count=30, people=5), seed)


def write_weak_model(path: Path) -> Path:
    """The shipped weights, made to doubt every link: tracks that leave something to ask for."""
    model = SpamModel.load(SHIPPED_WEIGHTS)
    model.association.classifier[-1].bias.data -= 4.0
    model.save(path)
    return path


def write_folder(folder: Path, clip: SimulatedClip) -> Path:
    """``det/det.txt``, ``gt/gt.txt`` and ``seqinfo.ini`` of the clip."""
    info, candidates, truth = clip.candidates.info, clip.candidates, clip.truth
    (folder / "det").mkdir(parents=True)
    (folder / "gt").mkdir()
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={info.name}\nframeRate={info.frame_rate}\nseqLength={info.frame_count}\n"
        f"imWidth={info.width}\nimHeight={info.height}\n"
    )
    rows = _rows(candidates.frame, np.full(len(candidates), -1), candidates.box)
    scores = candidates.score.tolist()
    (folder / "det" / "det.txt").write_text(
        "".join(f"{row},{score!r},-1,-1,-1\n" for row, score in zip(rows, scores, strict=True))
    )
    rows = _rows(truth.frame, truth.track + 1, truth.box)
    (folder / "gt" / "gt.txt").write_text("".join(f"{row},1,1,1\n" for row in rows))
    return folder


def _rows(frame: np.ndarray, track: np.ndarray, box: np.ndarray) -> list[str]:
    table = np.concatenate([box[:, :2] + 1, box[:, 2:] - box[:, :2]], axis=1)
    return [
        f"{f + 1},{t},{x!r},{y!r},{w!r},{h!r}"
        for f, t, (x, y, w, h) in zip(frame.tolist(), track.tolist(), table.tolist(), strict=True)
    ]

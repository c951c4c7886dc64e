from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spam_model.errors import InputError
from spam_model.training import recorded
from spam_model.training.dataset import clip_at
from spam_model.training.recorded import motchallenge, motsynth, sample_faults
from tests.spam_model.data.test_motsynth import mot_release

FRAMES = 30


def write_sequence(folder: Path, frames: int = FRAMES) -> Path:
    """Two pedestrians walking to the right, a car, a poster that nobody tracks; detections of all but the car."""
    truth, detections = [], []
    for frame in range(1, frames + 1):
        x = 100 + 2 * frame
        truth += [
            f"{frame},1,{x},200,40,100,1,1,1.0",
            f"{frame},2,{x + 300},210,40,100,1,1,0.5",
            f"{frame},3,700,200,80,60,0,3,1.0",
            f"{frame},4,900,100,40,100,0,8,1.0",
        ]
        detections += [
            f"{frame},-1,{x + 1},201,40,100,0.9,-1,-1,-1",
            f"{frame},-1,{x + 299},209,41,99,0.8,-1,-1,-1",
            f"{frame},-1,901,101,40,100,0.7,-1,-1,-1",
            f"{frame},-1,500,400,40,100,0.2,-1,-1,-1",
        ]
    for name, rows in (("gt", truth), ("det", detections)):
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.txt").write_text("\n".join(rows) + "\n")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=x\nframeRate=25\nseqLength={frames}\nimWidth=1280\nimHeight=720\n"
    )
    return folder


def test_detections_of_a_folder_show_whom_they_match(tmp_path: Path) -> None:
    write_sequence(tmp_path / "train" / "A")
    source = motchallenge(tmp_path, "det")
    assert "1 sequences, det detections" in source.name
    labelled = source.draw(np.random.default_rng(0))
    candidates = labelled.candidates
    x = candidates.box[:, 0]
    assert len(candidates) == 3 * candidates.info.frame_count, "the poster is neither right nor wrong: it is left out"
    assert set(labelled.identity[candidates.score > 0.85]) == {1}
    assert set(labelled.identity[(candidates.score > 0.75) & (candidates.score < 0.85)]) == {2}
    assert set(labelled.identity[x == 499]) == {-1}
    assert np.array_equal(labelled.weight, np.ones(len(candidates)))


def test_without_detections_a_detector_is_simulated_anew_for_each_clip(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A")
    write_sequence(tmp_path / "B")
    source = motchallenge(tmp_path)
    assert "2 sequences, simulated detections" in source.name
    drawn = [source.draw(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0].candidates.box, drawn[1].candidates.box)
    assert not np.array_equal(drawn[0].candidates.box[:5], drawn[2].candidates.box[:5])
    for labelled in drawn:
        found = set(labelled.identity.tolist())
        assert {1, 2} <= found <= {-1, 1, 2}


def test_motsynth_is_drawn_with_a_simulated_detector(tmp_path: Path) -> None:
    rows = "".join(f"{frame},5,{11 + frame},21,30,60,1,1,1.0,1,2,3\n" for frame in range(2))
    source = motsynth(mot_release(tmp_path, rows))
    labelled = source.draw(np.random.default_rng(3))
    assert labelled.candidates.info.frame_count == 2
    assert 5 in labelled.identity


def test_long_sequences_are_cut_into_random_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sequence(tmp_path / "A", frames=600)
    source = motchallenge(tmp_path, "det")
    monkeypatch.setattr("spam_model.training.sources.MOST_CANDIDATES", (100_000, 100_001))
    drawn = [source.draw(np.random.default_rng(seed)) for seed in range(6)]
    assert {labelled.candidates.info.frame_count for labelled in drawn} == {512}
    starts = {float(labelled.candidates.box[0, 0]) for labelled in drawn}
    assert len(starts) > 3
    monkeypatch.setattr("spam_model.training.sources.MOST_CANDIDATES", (400, 401))
    crowded = source.draw(np.random.default_rng(0))
    assert crowded.candidates.info.frame_count == 100, "so many that they hold 400 candidates"


def test_data_without_anybody_is_an_error_and_not_an_endless_search(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "A")
    (folder / "gt" / "gt.txt").write_text("1,3,700,200,80,60,0,3,1.0\n")
    recorded._read_motchallenge.cache_clear()
    source = motchallenge(tmp_path)
    assert len(source.draw(np.random.default_rng(0)).candidates) == 0
    with pytest.raises(InputError, match="is there anybody in this data"):
        clip_at(source, 0, 0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no MOTChallenge sequence"):
        motchallenge(tmp_path)
    write_sequence(tmp_path / "A")
    with pytest.raises(InputError, match=r"no det/yolo\.txt"):
        motchallenge(tmp_path, "yolo")


def test_simulated_detectors_differ() -> None:
    rng = np.random.default_rng(0)
    faults = [sample_faults(rng) for _ in range(50)]
    assert len({fault.clutter for fault in faults}) > 5
    assert min(fault.base_logit for fault in faults) < 1.5 < 2.7 < max(fault.base_logit for fault in faults)

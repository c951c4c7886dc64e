"""ByteTrack by supervision, on hand-made walkers and against numbers that were measured elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spam_model.data.inputs import read_input, read_truth
from spam_model.errors import InputError
from spam_model.evaluation import evaluate
from spam_model.evaluation import reference_tracker as module
from spam_model.evaluation.reference_tracker import byte_track, filled
from spam_model.values import Candidates, ClipInfo
from tests.spam_model.evaluation.test_bounds import DATA

INFO = ClipInfo("walkers", 40, 30.0, 640, 480, ("person", "car"))


def walkers(missing: range = range(0), score: float = 0.9) -> Candidates:
    """Two who walk apart in parallel, one of them not seen in some frames."""
    seen = [(frame, who) for frame in range(40) for who in (0, 1) if not (who == 1 and frame in missing)]
    frame, who = np.array(seen).T
    corner = np.stack([50.0 + 3 * frame, 100.0 + 200 * who], axis=1)
    box = np.concatenate([corner, np.add(corner, [40, 100])], axis=1)
    return Candidates.build(INFO, frame, box, np.full(len(frame), score), id=10 + np.arange(len(frame)))


@pytest.fixture(autouse=True)
def _supervision() -> None:
    pytest.importorskip("supervision")


def test_each_walker_is_one_track_of_its_own_candidates() -> None:
    candidates = walkers()
    labels = byte_track(candidates)
    assert len(labels.track_ids) == 2
    for track in labels.track_ids.tolist():
        rows = candidates.rows_of(labels.candidate_id[labels.rows(track)])
        assert len(set(candidates.box[rows, 1])) == 1
        assert np.array_equal(candidates.box[rows], labels.box[labels.rows(track)])


def test_a_gap_is_filled_on_request() -> None:
    labels = byte_track(walkers(missing=range(20, 26)))
    assert len(filled(labels)) == len(labels) + 6
    assert filled(labels).occluded.sum() == 6


def test_low_scores_start_no_track() -> None:
    assert len(byte_track(walkers(score=0.5))) == 0


def test_classes_are_tracked_apart() -> None:
    one = walkers()
    both = replace(one, class_id=(one.box[:, 1] > 200).astype(np.int64))
    labels = byte_track(both)
    assert sorted(len(set(labels.class_id[labels.rows(t)])) for t in labels.track_ids.tolist()) == [1, 1]
    assert set(labels.class_id) == {0, 1}


def test_an_empty_clip_has_no_track() -> None:
    assert len(byte_track(walkers().take(np.zeros(0, np.int64)))) == 0


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(InputError, match="pip install 'supervision"):
        module.byte_track(walkers())


@pytest.mark.shared_data
@pytest.mark.parametrize(("sequence", "plain", "with_gaps"), [("MOT17-05", 63.0, 65.2), ("MOT17-11", 62.2, 63.1)])
def test_it_scores_what_was_measured_elsewhere(sequence: str, plain: float, with_gaps: float) -> None:
    folder = DATA / "MOT17-val" / sequence
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set CVAT_SPAM_DATA")
    labels, truth = byte_track(read_input(folder)), read_truth(folder)
    assert evaluate(truth, labels).hota == pytest.approx(plain, abs=1.0)
    assert evaluate(truth, filled(labels)).hota == pytest.approx(with_gaps, abs=1.0)

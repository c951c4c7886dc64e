"""``sync --retrain`` against a server: the new candidates take over, answers and identities stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cvat_sdk import Client

from cvat_bridge import retraining
from cvat_bridge.assembly import open_journal, sync_task
from cvat_bridge.cli import main
from cvat_bridge.journal import Journal, RoundRow
from cvat_bridge.progress import Progress
from cvat_bridge.report_task import report_task
from cvat_bridge.retraining import DOCUMENT, Retrainer, check_trainable, retrainings
from cvat_bridge.sync import SyncOptions, SyncReport
from spam_model.active.session import Session
from spam_model.data.clip import Clip
from spam_model.detector_training import finetune as training
from spam_model.detector_training.batches import BatchStream
from spam_model.detector_training.finetune import Change, Finetuned, Quality
from spam_model.detectors.small_network import small_network
from spam_model.detectors.trained_weights import write_trained
from spam_model.errors import InputError
from spam_model.geometry import iou_matrix
from spam_model.graph.constraints import resolve
from spam_model.storage import read_candidates
from spam_model.values import Anchor, Answer, Candidates, Constraint, ConstraintKind, Constraints, Ledger
from tests.cvat_bridge import bench as module
from tests.cvat_bridge.bench import BUDGET, Bench
from tests.cvat_bridge.clips import boxes
from tests.cvat_bridge.conftest import MakeTask
from tests.cvat_bridge.proxy import Proxy

HALF, WORSE, BETTER = Quality(0.8, 0.5), Quality(0.9, 0.4), Quality(0.9, 0.6)
LINE = {
    "number": 1,
    "round": 1,
    "answers": 3,
    "kind": "yolov4-tiny",
    "kept": True,
    "before": vars(HALF),
    "after": vars(BETTER),
    "held_out_frames": 5,
}
Trained = Callable[..., Finetuned]


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "before.safetensors"
    write_trained(path, "small", small_network(), {})
    return path


@pytest.fixture
def bench(
    lead: Client,
    proxy: Proxy,
    make_task: MakeTask,
    sequence: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    """Of a task of the small detector; its first candidates are simulated."""
    monkeypatch.setattr(module, "SAID", {"detector": f"small:{weights}", "frame_rate": 25.0})
    return Bench(lead, sequence, tmp_path / "state", make_task(segment_size=20))


@pytest.fixture
def found_later(tmp_path: Path) -> Path:
    """What the retrained detector finds: everybody, each box a pixel off."""
    rows = [
        f"{frame + 1},-1,{x1 + 2},{y1},{x2 - x1},{y2 - y1},0.95\n"
        for frame in range(30)
        for x1, y1, x2, y2 in boxes(frame)
        if x1 + 1 < 320 and x2 + 1 > 0
    ]
    path = tmp_path / "later.txt"
    path.write_text("".join(rows))
    return path


def fake(found_later: Path, before: Path, after: Quality = BETTER) -> Trained:
    """A quick trainer: weights that load, and a detector that reads a file."""

    def train(frames: object, labels: object, said: object, detector: str, out: Path, **options: object) -> Finetuned:
        out.write_bytes(before.read_bytes())
        result = Finetuned(f"file:{found_later}", out, Change(HALF, after), None, 21, 9, 4)
        return result if result.is_better else Finetuned(detector, out, result.on_labels, None, 21, 9, 4)

    return train


def retrain(bench: Bench, minutes: float = 1.0, budget: float = BUDGET) -> SyncReport:
    options = SyncOptions(budget, 2, retrain=minutes)
    return sync_task(bench.client, bench.task, bench.state, module.SAID, options, Progress(quiet=True), bench.source())


def candidates(bench: Bench) -> Candidates:
    with open_journal(bench.client, bench.state, bench.task) as journal:
        return read_candidates(journal.folder / "candidates.safetensors")


def answered(bench: Bench) -> Bench:
    """After a round of answers."""
    bench.sync()
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    return bench


def test_new_candidates_take_over_and_answers_and_identities_stay(
    bench: Bench, found_later: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(retraining, "finetune", fake(found_later, weights))
    first = retrain(bench)
    assert any("not retrained: nobody has answered" in note for note in first.notes)
    waiting = retrain(bench)
    assert any("not retrained: round 1 is still with reviewers" in note for note in waiting.notes)
    assert first.retraining is waiting.retraining is None

    before, identities = candidates(bench), set(bench.ours())
    bench.answer(bench.reader.jobs(bench.review_tasks()[0]))
    report = retrain(bench)
    after = candidates(bench)
    assert report.retraining is not None
    assert report.retraining.kept
    assert (report.phase, report.round) == ("waiting", 2)
    assert any("mean AP 0.500 → 0.600" in note and "in use" in note for note in report.notes)
    assert set(after.score.tolist()) == {0.95}
    kept = np.isin(after.id, before.id)
    assert kept.sum() > 0.8 * len(after)
    overlap = iou_matrix(after.box[kept], before.box[before.rows_of(after.id[kept])]).diagonal()
    assert overlap.min() >= 0.5
    assert len(identities & set(bench.ours())) >= 0.8 * len(identities)

    session = bench.session()
    resolved = resolve(after, session.constraints)
    assert resolved.conflicts == ()
    assert resolved.fixed.any()
    holding = len(session.constraints) - len(resolved.unmatched)
    assert (
        f"{holding} of {len(session.constraints)} constraints from answers hold for the new candidates" in report.notes
    )

    again = bench.sync()
    assert (again.phase, again.waiting_jobs) == ("waiting", report.waiting_jobs)
    bench.answer(bench.reader.jobs(bench.review_tasks()[1]))
    done = bench.sync()
    assert (done.phase, done.clicks > report.clicks) == ("done", True)
    assert set(bench.ours().values()) == {1}

    with open_journal(bench.client, bench.state, bench.task) as journal:
        page = report_task(journal, Clip.open(bench.sequence / "video.mp4"), tmp_path / "report.html").read_text()
    assert "small retrained after round 1: AP50 0.800 → 0.900" in page


def test_a_detector_that_is_not_better_replaces_nothing_and_is_not_trained_on_the_same_answers_again(
    bench: Bench, found_later: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "finetune", fake(found_later, weights, WORSE))
    before = candidates(answered(bench))
    report = retrain(bench, budget=0.0)
    after = candidates(bench)
    assert np.array_equal(before.box, after.box)
    assert np.array_equal(before.id, after.id)
    assert report.retraining is not None
    assert not report.retraining.kept
    assert any("not better, so nothing was replaced" in note for note in report.notes)
    again = retrain(bench, budget=0.0)
    assert again.retraining is None
    assert any("no answer has come in since" in note for note in again.notes)


@pytest.mark.parametrize(
    ("place", "replaced"),
    [("write_candidates", False), ("finish_replacement", True)],
    ids=["before the new candidates are written", "before they take over"],
)
def test_killed_while_retraining_the_candidates_are_the_old_or_the_new_whole_and_answers_stay(
    bench: Bench, found_later: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, place: str, replaced: bool
) -> None:
    monkeypatch.setattr(retraining, "finetune", fake(found_later, weights))
    old = candidates(answered(bench))

    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(retraining, place, killed)
        with pytest.raises(Killed):
            retrain(bench)
    assert np.array_equal(candidates(bench).box, old.box)
    report = bench.sync()
    assert report.phase == "waiting"
    assert set(candidates(bench).score.tolist()) == ({0.95} if replaced else set(old.score.tolist()))
    session = bench.session()
    assert len(session.answers) > 0
    assert len(session.constraints) > 0
    assert set(bench.ours().values()) == {1}
    if not replaced:
        bench.answer(bench.reader.jobs(bench.review_tasks()[-1]))
        retrain(bench)
        assert set(candidates(bench).score.tolist()) == {0.95}


def test_a_real_training_on_the_servers_frames_without_the_deleted_ones(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "PIXELS", 64 * 64)
    monkeypatch.setattr(training, "MOST_HELD_OUT", 3)
    monkeypatch.setattr(BatchStream, "in_background", lambda self: self)
    answered(bench)
    bench.client.api_client.tasks_api.partial_update_data_meta(
        bench.task, patched_data_meta_write_request={"deleted_frames": [3, 29]}
    )
    report = retrain(bench, minutes=0.01)
    assert report.retraining is not None
    assert report.retraining.held_out_frames == 2
    with open_journal(bench.client, bench.state, bench.task) as journal:
        assert (journal.folder / "detector-1.safetensors").exists()
        (line,) = retrainings(journal)
    assert line == report.retraining
    assert (report.phase, report.round) == ("waiting", 2)


@pytest.mark.parametrize(
    ("waiting", "state", "answers", "said", "reason"),
    [
        (2, "open", 3, 3, "still with reviewers"),
        (0, "asking", 3, 3, "goes first"),
        (0, "closed", 0, 0, "nobody has answered"),
        (0, "closed", 4, 3, "no answer has come in"),
        (0, "closed", 3, 3, ""),
        (0, "open", 5, 3, ""),
    ],
)
def test_a_detector_is_retrained_between_rounds_on_new_answers(
    waiting: int, state: str, answers: int, said: int, reason: str, tmp_path: Path
) -> None:
    """Four answers were in when it was last retrained."""
    accept = Constraint(ConstraintKind.ACCEPT, Anchor(0, 0, (0, 0, 9, 9), 0))
    session = Session(
        ledger=Ledger(100, 10),
        constraints=Constraints((accept,) * said),
        answers=tuple(Answer(str(number), "yes") for number in range(answers)),
    )
    with Journal(tmp_path) as journal:
        journal.put_round(RoundRow(1, 7, state))
        journal.put(DOCUMENT, [LINE | {"answers": 4}])
        retrainer = Retrainer(journal, None, "yolov4-tiny", 0.1, 1.0)  # type: ignore[arg-type]
        found = retrainer.reason_against(session, waiting)
    assert reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "long"])
def test_no_time_to_train_is_a_line_that_makes_no_sense(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sync", "1", "--retrain", minutes])
    assert ended.value.code == 2
    assert "no number of minutes above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backend", "detector", "reason"),
    [
        ("http://127.0.0.1:1", "yolov4-tiny", "add --backend local"),
        ("local", "cvat:7", "cvat:7 cannot be trained"),
        ("local", "simulated", "cannot be trained"),
        ("local", "onnx-yolox:a.onnx", "use|yolov4-tiny"),
    ],
)
def test_what_cannot_be_trained_is_said_with_what_to_do(backend: str, detector: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_trainable(backend, detector)


@pytest.mark.parametrize("detector", ["yolov4-tiny", "small:a.safetensors", "yolox-nano", "yolox-s:b.pth"])
def test_the_torch_detectors_can_be_trained(detector: str) -> None:
    check_trainable("local", detector)


def test_a_dry_run_cannot_retrain(bench: Bench, proxy: Proxy) -> None:
    proxy.reset()
    options = SyncOptions(BUDGET, 2, dry_run=True, retrain=1.0)
    with pytest.raises(InputError, match="no dry run"):
        sync_task(bench.client, bench.task, bench.state, module.SAID, options, Progress(quiet=True), bench.source())
    assert not proxy.writes


def test_the_detector_in_force_is_the_one_kept_last(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert retraining.detector_in_force(journal, "yolov4-tiny") == "yolov4-tiny"
        journal.put(DOCUMENT, [LINE | {"number": number, "kept": number < 3} for number in (1, 2, 3)])
        expected = f"yolov4-tiny:{tmp_path / 'detector-2.safetensors'}"
        assert retraining.detector_in_force(journal, "yolov4-tiny") == expected

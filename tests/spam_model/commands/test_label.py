"""``spam-model label``: the two files that others rely on, people's answers, and inputs that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spam_model.active.answers import constraints_from
from spam_model.active.registry import STRATEGIES, create_strategy
from spam_model.active.strategies import worth_asking
from spam_model.data.inputs import read_input
from spam_model.data.label_files import read_labels
from spam_model.data.motchallenge import read_rows
from spam_model.labeler import Labeler
from spam_model.postprocess import PostprocessSettings
from spam_model.storage import constraints_to_bytes, queries_from_bytes, write_candidates
from spam_model.values import Answer, Constraint, ConstraintKind, Constraints, Labels, QueryKind
from tests.spam_model.active import shipped
from tests.spam_model.commands.folders import Outcome, small_clip, spam_model, write_folder
from tests.spam_model.graph.worlds import must_link, reject

Run = Callable[..., Outcome]
CLIP = small_clip()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *argv: spam_model(capsys, "label", *argv)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data") / "street", CLIP)


def test_a_folder_becomes_rows_and_questions(run: Run, folder: Path, tmp_path: Path) -> None:
    summary = run(folder, "-o", tmp_path / "new" / "out", "--json").json
    out = tmp_path / "new" / "out"
    assert sorted(path.name for path in out.iterdir()) == ["street.queries.json", "street.txt"]
    assert (summary["labels_file"], summary["queries_file"]) == (
        str(out / "street.txt"),
        str(out / "street.queries.json"),
    )
    candidates = read_input(folder)
    expected = Labeler.load(device="cpu").label(candidates)
    labels = read_rows(out / "street.txt", candidates.info)
    assert labels.track.tolist() == expected.labels.track.tolist()
    assert labels.frame.tolist() == expected.labels.frame.tolist()
    assert np.allclose(labels.box, expected.labels.box, atol=0.002)
    assert (summary["sequence"], summary["frames"], summary["candidates"]) == ("street", 30, len(candidates))
    assert (summary["tracks"], summary["boxes"]) == (len(labels.track_ids), len(labels))


@pytest.mark.parametrize("strategy", shipped.STRATEGIES)
def test_the_questions_are_the_strategys_best_first(run: Run, folder: Path, tmp_path: Path, strategy: str) -> None:
    summary = run(folder, "-o", tmp_path, "--strategy", strategy, "--json").json
    queries = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    result = Labeler.load(device="cpu").label(read_input(folder))
    expected = list(worth_asking(create_strategy(strategy), result))[:1000]
    assert list(queries) == expected
    assert summary["queries"] == len(queries) > 50


def test_rows_are_motchallenge_rows(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path)
    rows = [line.split(",") for line in (tmp_path / "street.txt").read_text().splitlines()]
    assert {len(row) for row in rows} == {10}
    frames = [int(row[0]) for row in rows]
    assert frames == sorted(frames)
    assert min(frames) >= 1 and max(frames) <= 30
    assert min(int(row[1]) for row in rows) == 1


def test_without_json_stdout_tells_where_the_files_are(run: Run, folder: Path, tmp_path: Path) -> None:
    outcome = run(folder, "-o", tmp_path)
    assert outcome.code == 0
    assert outcome.out.splitlines()[1:] == [str(tmp_path / "street.txt"), str(tmp_path / "street.queries.json")]


def test_a_candidates_file_gives_what_its_folder_gives(run: Run, folder: Path, tmp_path: Path) -> None:
    write_candidates(tmp_path / "c.safetensors", read_input(folder))
    assert run(tmp_path / "c.safetensors", "-o", tmp_path / "a").code == 0
    assert run(folder, "-o", tmp_path / "b").code == 0
    for name in ("street.txt", "street.queries.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_coco_video_tells_what_the_rows_tell(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path)
    summary = run(folder, "-o", tmp_path, "--format", "coco-video", "--json").json
    assert summary["labels_file"] == str(tmp_path / "street.json")
    info = read_input(folder).info
    rows, coco = (read_labels(tmp_path / f"street.{suffix}", info) for suffix in ("txt", "json"))
    assert rows.track.tolist() == coco.track.tolist()
    assert rows.frame.tolist() == coco.frame.tolist()
    assert np.allclose(rows.box, coco.box, atol=0.0011)


def test_the_labels_file_may_be_named(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder, "--out", tmp_path / "new" / "mine.json", "--format", "coco-video")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["mine.json", "mine.queries.json"]
    outcome = run(folder, "--out", tmp_path / "mine.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "labels of this format go into a .txt file" in outcome.complaint


def test_post_processing_is_set_on_the_command_line(run: Run, folder: Path, tmp_path: Path) -> None:
    """With somebody who stands at the border for 12 frames, 0.48 s."""
    detections = (folder / "det" / "det.txt").read_text()
    short = "".join(f"{frame},-1,1250,300,40,110,0.95,-1,-1,-1\n" for frame in range(5, 17))
    (folder / "det" / "short.txt").write_text(detections + short)
    candidates = read_input(folder, "short")

    def labels(*options: object) -> Labels:
        run(folder, "-o", tmp_path, "--detections", "short", *options)
        return read_labels(tmp_path / "street.txt", candidates.info)

    def expected(**changes: float) -> Labels:
        return Labeler.load(device="cpu", settings=PostprocessSettings(**changes)).label(candidates).labels  # type: ignore[arg-type]

    default = labels()
    for options, changes in [
        (("--max-gap", 0), {"max_gap": 0.0}),
        (("--smoothing", 0.5), {"smoothing": 0.5}),
        (("--min-duration", 0.5), {"min_duration": 0.5}),
        (("--clip",), {"clip": True}),
    ]:
        found, wanted = labels(*options), expected(**changes)
        assert found.track.tolist() == wanted.track.tolist()
        assert np.allclose(found.box, wanted.box, atol=0.0011)
        assert len(found) != len(default) or not np.allclose(found.box, default.box, atol=0.0011), options


def test_a_gap_that_a_person_confirmed_has_its_own_limit(run: Run, folder: Path, tmp_path: Path) -> None:
    """Everything of one track between two of its boxes is rejected, and the two are said to be one object."""
    candidates = read_input(folder)
    track = Labeler.load(device="cpu").label(candidates).hierarchy.track_of
    members = np.flatnonzero(track == np.argmax(np.bincount(track[track >= 0])))
    lost = np.flatnonzero((candidates.frame > candidates.frame[members[4]]) & (track >= 0))
    lost = lost[candidates.frame[lost] < candidates.frame[members[-5]]]
    items = (
        must_link(candidates, int(members[4]), int(members[-5])),
        *(reject(candidates, int(row)) for row in lost),
    )
    (tmp_path / "answers.json").write_bytes(constraints_to_bytes(Constraints(items)))

    def boxes(*options: object) -> int:
        argv = (folder, "-o", tmp_path, "--constraints", tmp_path / "answers.json", "--max-gap", 0.1, *options)
        summary = run(*argv, "--json").json
        assert summary["conflicts"] == []
        return int(summary["boxes"])

    assert boxes("--max-confirmed-gap", 0.05) == boxes()
    assert boxes("--max-confirmed-gap", 2) >= boxes() + 10


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "long"])
def test_a_time_that_is_none_is_refused(run: Run, folder: Path, tmp_path: Path, value: str) -> None:
    outcome = run(folder, "-o", tmp_path, f"--max-gap={value}")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--max-gap" in outcome.complaint


def test_answers_are_in_force_and_not_asked_for_again(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path)
    before = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    detection = next(query for query in before if query.kind is QueryKind.DETECTION and query.level > 0)
    items = tuple(Constraint(ConstraintKind.REJECT, anchor) for anchor in detection.subject)
    (tmp_path / "answers.json").write_bytes(constraints_to_bytes(Constraints(items)))
    outcome = run(folder, "-o", tmp_path, "--constraints", tmp_path / "answers.json", "--json")
    assert outcome.json["conflicts"] == []
    assert outcome.json["unmatched_constraints"] == 0
    after = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    gone = {anchor.candidate_id for anchor in detection.subject}
    assert detection.id not in {query.id for query in after}
    assert not any(gone >= {anchor.candidate_id for anchor in query.subject} for query in after)
    candidates = read_input(folder)
    labels = read_rows(tmp_path / "street.txt", candidates.info)
    here = (labels.frame == detection.subject[0].frame)[:, None]
    assert not (here & (np.abs(labels.box - np.array(detection.subject[0].box)) < 0.5)).all(axis=1).any()


@pytest.mark.parametrize("kind", QueryKind)
def test_a_question_that_an_answer_names_is_not_asked_again(
    run: Run, folder: Path, tmp_path: Path, kind: QueryKind
) -> None:
    run(folder, "-o", tmp_path)
    before = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    query = next(query for query in before if query.kind is kind)
    choice = {QueryKind.DETECTION: "yes", QueryKind.ASSOCIATION: "A", QueryKind.LOCALIZATION: ""}[kind]
    items = constraints_from(query, Answer(query.id, choice, query.subject[0].box))
    (tmp_path / "answers.json").write_bytes(constraints_to_bytes(Constraints(items)))
    run(folder, "-o", tmp_path, "--constraints", tmp_path / "answers.json")
    after = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    assert query.id not in {other.id for other in after}
    assert len(after) > 50


def test_answers_that_contradict_each_other_are_said_on_stderr(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path)
    queries = queries_from_bytes((tmp_path / "street.queries.json").read_bytes())
    anchor = next(query for query in queries if not query.between).subject[0]
    items = Constraint(ConstraintKind.ACCEPT, anchor), Constraint(ConstraintKind.REJECT, anchor)
    (tmp_path / "answers.json").write_bytes(constraints_to_bytes(Constraints(items)))
    outcome = run(folder, "-o", tmp_path, "--constraints", tmp_path / "answers.json", "--json")
    assert outcome.code == 0
    assert len(outcome.json["conflicts"]) == 1
    assert "answers contradict each other: candidate" in outcome.err


def test_a_clip_without_a_candidate_has_no_rows_and_no_questions(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "det" / "none.txt").write_text("")
    summary = run(folder, "-o", tmp_path, "--detections", "none", "--json").json
    assert (summary["tracks"], summary["boxes"], summary["queries"]) == (0, 0, 0)
    assert (tmp_path / "street.txt").read_text() == ""
    assert queries_from_bytes((tmp_path / "street.queries.json").read_bytes()) == ()


def spoil(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


ROW = "1,-1,5,5,20,50,0.9,-1,-1,-1\n"
BAD_FOLDERS = [
    ("no detections", lambda folder: (folder / "det" / "det.txt").unlink(), "det.txt: no such file"),
    ("no seqinfo", lambda folder: (folder / "seqinfo.ini").unlink(), "seqinfo.ini: no such file"),
    ("seqinfo without a header", spoil("seqinfo.ini", "frameRate=25\n"), "it needs [Sequence] with seqLength"),
    ("seqinfo without a field", spoil("seqinfo.ini", "[Sequence]\nframeRate=25\n"), "it needs [Sequence]"),
    ("a length that is no number", spoil("seqinfo.ini", "[Sequence]\nseqLength=many\n"), "it needs [Sequence]"),
    ("a NaN row", spoil("det/det.txt", ROW + ROW.replace("20", "nan")), "det.txt, line 2: a value is not a finite"),
    ("a row of words", spoil("det/det.txt", ROW.replace("20", "wide")), "det.txt, line 1: not a row of numbers"),
    ("a row beyond the end", spoil("det/det.txt", ROW.replace("1", "99", 1)), "line 1: the frame is outside 1 … 30"),
    ("too few columns", spoil("det/det.txt", "1,2,3\n"), "line 1: 3 columns"),
]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in BAD_FOLDERS], ids=[c[0] for c in BAD_FOLDERS])
def test_a_folder_that_cannot_be_used_is_one_line_on_stderr(
    run: Run, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    folder = write_folder(tmp_path / "street", CLIP)
    change(folder)
    outcome = run(folder, "-o", tmp_path / "out", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("spam-model: ")
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_missing_input_is_named(run: Run, tmp_path: Path) -> None:
    outcome = run(tmp_path / "nowhere", "-o", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "nowhere: no such file or folder" in outcome.complaint


@pytest.mark.parametrize("option", ["input", "constraints"])
def test_a_file_of_something_else_is_named(run: Run, folder: Path, tmp_path: Path, option: str) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    argv = [other] if option == "input" else [folder, "--constraints", other]
    outcome = run(*argv, "-o", tmp_path / "out")
    assert (outcome.code, outcome.out) == (2, "")
    assert str(other) in outcome.complaint


def test_an_out_folder_that_cannot_be_made_is_said_before_the_work(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Labeler, "label", None)
    outcome = run(folder, "-o", tmp_path / "file" / "out")
    assert outcome.code == 2
    assert "cannot make the folder" in outcome.complaint


def test_an_unknown_strategy_is_refused_with_those_there_are(run: Run, folder: Path, tmp_path: Path) -> None:
    outcome = run(folder, "-o", tmp_path, "--strategy", "best")
    assert (outcome.code, outcome.out) == (2, "")
    assert all(name in outcome.complaint for name in ("best", *STRATEGIES))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_has_its_own_exit_code(run: Run, folder: Path, tmp_path: Path) -> None:
    outcome = run(folder, "-o", tmp_path, "--device", "cuda", "--json")
    assert (outcome.code, outcome.out) == (3, "")
    assert "use --device cpu" in outcome.complaint

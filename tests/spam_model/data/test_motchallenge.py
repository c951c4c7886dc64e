from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spam_model.data.motchallenge import (
    find_sequence,
    format_rows,
    read_detections,
    read_ground_truth,
    read_rows,
    read_sequence_info,
    scores_to_unit,
    write_rows,
)
from spam_model.errors import FormatError, InputError
from spam_model.values import ClipInfo, Labels
from tests.spam_model.builders import clip_info

INFO = clip_info(frame_count=10)
SEQINFO = "[Sequence]\nname=X\nimDir=img1\nframeRate=14\nseqLength=837\nimWidth=640\nimHeight=480\nimExt=.jpg\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def labels_of(track: list[int], frame: list[int], box: list[list[float]]) -> Labels:
    return Labels.build(INFO, np.array(track), np.array(frame), np.array(box), score=np.full(len(track), 0.5))


class TestSequenceFolder:
    def test_what_lies_in_a_folder_is_found_and_the_rest_is_none(self, tmp_path: Path) -> None:
        folder = tmp_path / "S1"
        write(folder / "det" / "det.txt", "")
        write(folder / "video.avi", "")
        write(folder / "video.txt", "")
        found = find_sequence(folder)
        assert found.name == "S1"
        assert found.detections == folder / "det" / "det.txt"
        assert found.video == folder / "video.avi"
        assert (found.images, found.ground_truth, found.info_file) == (None, None, None)

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="nowhere: no such folder"):
            find_sequence(tmp_path / "nowhere")

    def test_seqinfo_gives_the_clip_under_its_folders_name(self, tmp_path: Path) -> None:
        write(tmp_path / "S1" / "seqinfo.ini", SEQINFO)
        assert read_sequence_info(tmp_path / "S1") == ClipInfo("S1", 837, 14.0, 640, 480)

    @pytest.mark.parametrize(
        "text",
        [SEQINFO.replace("frameRate=14\n", ""), SEQINFO.replace("=837", "=many"), "no sections", SEQINFO[10:]],
        ids=["a field is missing", "a field is no number", "not an ini file", "no section"],
    )
    def test_a_seqinfo_that_cannot_be_used_is_refused(self, tmp_path: Path, text: str) -> None:
        write(tmp_path / "seqinfo.ini", text)
        with pytest.raises(FormatError, match=r"seqinfo\.ini"):
            read_sequence_info(tmp_path)

    def test_a_missing_seqinfo_says_what_it_is_for(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="frame rate"):
            read_sequence_info(tmp_path)


class TestDetections:
    def test_rows_become_zero_based_corners_sorted_by_frame(self, tmp_path: Path) -> None:
        path = write(tmp_path / "det.txt", "3,-1,11,21,30,40,0.9,-1,-1,-1\n1,-1,1,1,5,6,0.5,-1,-1,-1\n")
        candidates = read_detections(path, INFO)
        assert candidates.frame.tolist() == [0, 2]
        assert candidates.box.tolist() == [[0, 0, 5, 6], [10, 20, 40, 60]]
        assert candidates.score.tolist() == [0.5, 0.9]
        assert candidates.id.tolist() == [1, 0]
        assert candidates.embedding.shape == (2, 0)

    def test_an_id_is_the_row_whatever_the_threshold(self, tmp_path: Path) -> None:
        path = write(tmp_path / "det.txt", "1,-1,1,1,5,6,0.2,-1,-1,-1\n1,-1,9,9,5,6,0.8,-1,-1,-1\n")
        assert read_detections(path, INFO, min_score=0.5).id.tolist() == [1]
        assert read_detections(path, INFO, min_score=0.1).id.tolist() == [0, 1]

    def test_rows_without_an_area_are_left_out_and_counted(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write(tmp_path / "det.txt", "1,-1,1,1,0,6,0.9\n1,-1,1,1,5,-2,0.9\n1,-1,1,1,5,6,0.9\n")
        assert len(read_detections(path, INFO)) == 1
        assert "2 rows without an area" in caplog.text

    def test_an_empty_file_has_no_candidates(self, tmp_path: Path) -> None:
        assert len(read_detections(write(tmp_path / "det.txt", "\n"), INFO)) == 0

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1,-1,1,1,5,6,0.9\n1,-1,1,1,5,6\n", "line 2: 6 columns"),
            ("1,-1,1,1,5,6,0.9\n1,-1,1,1,5,6,0.9,-1\n", "line 2: 8 columns"),
            ("1 -1 1 1 5 6 0.9\n", "line 1: 1 columns"),
            ("1,-1,1,1,5,6,0.9\n1,-1,1,one,5,6,0.9\n", "line 2: not a row of numbers"),
            ("1,-1,1,1,5,6,0.9\n1,-1,nan,1,5,6,0.9\n", "line 2: a value is not a finite number"),
            ("1,-1,1,1,5,6,0.9\n11,-1,1,1,5,6,0.9\n", "line 2: the frame is outside 1 … 10"),
            ("0,-1,1,1,5,6,0.9\n", "line 1: the frame is outside"),
            ("1.5,-1,1,1,5,6,0.9\n", "line 1: frame and id must be whole numbers"),
            ("1,1e300,1,1,5,6,0.9\n", "line 1: frame and id must be whole numbers"),
            ("1,-1,1,1,5,6,0.9\n\n1,-1,1,1,5,6,0.9\n", "line 2: 1 columns"),
        ],
    )
    def test_a_bad_row_is_named_by_its_line(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            read_detections(write(tmp_path / "det.txt", text), INFO)

    def test_a_missing_or_binary_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such file"):
            read_detections(tmp_path / "det.txt", INFO)
        (tmp_path / "det.txt").write_bytes(b"\xff\xfe\x00\x81")
        with pytest.raises(FormatError, match="not a text file"):
            read_detections(tmp_path / "det.txt", INFO)

    def test_scores_within_0_and_1_stay_and_others_are_mapped(self, tmp_path: Path) -> None:
        rows = "".join(f"1,-1,1,1,5,6,{score}\n" for score in (93.67, -0.7, 20.0, 41.0))
        mapped = read_detections(write(tmp_path / "det.txt", rows), INFO, min_score=0.0)
        assert mapped.score.argsort().tolist() == [1, 2, 3, 0]
        assert ((mapped.score > 0) & (mapped.score < 1)).all()


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=30))
def test_the_map_of_scores_keeps_their_order_and_lands_in_0_to_1(scores: list[float]) -> None:
    given_scores = np.array(scores)
    mapped = scores_to_unit(given_scores)
    assert ((mapped >= 0) & (mapped <= 1)).all()
    assert (np.diff(mapped[np.argsort(given_scores, kind="stable")]) >= 0).all()


class TestGroundTruth:
    def test_mot17_pedestrians_distractors_and_others_are_told_apart(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "gt.txt",
            "2,4,11,21,30,40,1,1,0.5\n1,4,11,21,30,40,1,1,0.25\n1,5,1,1,9,9,0,8,1\n1,6,1,1,9,9,0,3,1\n1,7,1,1,9,9,0,1,1\n",
        )
        truth = read_ground_truth(path, INFO)
        assert truth.track.tolist() == [4, 4, 5, 6, 7]
        assert truth.frame.tolist() == [0, 1, 0, 0, 0]
        assert truth.ignored.tolist() == [False, False, True, True, True]
        assert truth.class_id.tolist() == [0, 0, 0, -1, -1]
        assert truth.visibility.tolist() == [0.25, 0.5, 1, 1, 1]
        assert truth.box[0].tolist() == [10, 20, 40, 60]

    def test_mot15_has_no_classes_and_leaves_rows_of_flag_0_out(self, tmp_path: Path) -> None:
        path = write(tmp_path / "gt.txt", "1,1,1,1,9,9,1,-4.1,-7.3,0\n1,2,1,1,9,9,0,-1,-1,-1\n")
        truth = read_ground_truth(path, INFO)
        assert truth.track.tolist() == [1]
        assert not truth.ignored.any()
        assert truth.visibility.tolist() == [1.0]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1,1,1,1,9,9,1\n", "line 1: 7 columns, expected 9 or 10"),
            ("1,1,1,1,9,9,1,0,1\n", "line 1: the class"),
            (
                "2,1,1,1,9,9,1,1,1\n1,2,1,1,9,9,1,1,1\n2,1,5,5,9,9,1,1,1\n",
                "line 3: track 1 has a second box in frame 2",
            ),
        ],
    )
    def test_what_cannot_be_truth_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            read_ground_truth(write(tmp_path / "gt.txt", text), INFO)


class TestRows:
    @given(
        st.dictionaries(
            st.tuples(st.integers(1, 5), st.integers(0, 9)),
            st.tuples(*[st.floats(-100, 700)] * 2, *[st.floats(1, 300)] * 2),
            max_size=12,
        )
    )
    def test_rows_written_and_read_again_are_the_same_to_a_thousandth(
        self, tmp_path_factory: pytest.TempPathFactory, cells: dict[tuple[int, int], tuple[float, ...]]
    ) -> None:
        keys = sorted(cells)
        box = [[x, y, x + w, y + h] for x, y, w, h in (cells[key] for key in keys)]
        labels = labels_of([key[0] for key in keys], [key[1] for key in keys], box)
        path = tmp_path_factory.mktemp("rows") / "clip.txt"
        write_rows(labels, path)
        again = read_rows(path, INFO)
        assert again.track.tolist() == labels.track.tolist()
        assert again.frame.tolist() == labels.frame.tolist()
        assert np.allclose(again.box, labels.box, atol=0.0011)
        assert list(path.parent.iterdir()) == [path]

    def test_rows_are_one_based_and_sorted_by_frame(self) -> None:
        labels = labels_of([1, 1, 2], [0, 1, 0], [[0, 0, 10, 20], [1, 1, 11, 21], [5, 6, 7, 8]])
        assert format_rows(labels) == (
            "1,1,1.000,1.000,10.000,20.000,0.5000,-1,-1,-1\n"
            "1,2,6.000,7.000,2.000,2.000,0.5000,-1,-1,-1\n"
            "2,1,2.000,2.000,10.000,20.000,0.5000,-1,-1,-1\n"
        )

    @pytest.mark.parametrize(("tail", "class_id"), [("", 0), (",-1,-1,-1", 0), (",1,-1,-1", 0), (",3,-1,-1", 2)])
    def test_column_8_is_the_class_of_a_clip_of_several(self, tmp_path: Path, tail: str, class_id: int) -> None:
        path = write(tmp_path / "clip.txt", f"1,1,1,1,5,6,0.9{tail}\n")
        several = clip_info(10, class_names=("person", "car", "bus"))
        assert read_rows(path, several).class_id.tolist() == [class_id]
        assert read_rows(path, INFO).class_id.tolist() == [0]

    @pytest.mark.parametrize("number", ["0", "3", "1.5"])
    def test_a_class_that_the_clip_does_not_have_is_refused(self, tmp_path: Path, number: str) -> None:
        path = write(tmp_path / "clip.txt", f"1,1,1,1,5,6,0.9,2,-1,-1\n2,1,1,1,5,6,0.9,{number},-1,-1\n")
        with pytest.raises(FormatError, match=r"line 2: the class \(column 8\) must be 1 … 2, or -1"):
            read_rows(path, clip_info(10, class_names=("person", "car")))

    def test_a_write_that_fails_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "clip.txt", "old\n")

        def fail(*_: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(InputError, match="disk full"):
            write_rows(labels_of([1], [0], [[0, 0, 1, 1]]), path)
        assert path.read_text() == "old\n"
        assert list(tmp_path.iterdir()) == [path]

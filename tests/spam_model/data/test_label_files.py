"""Labels written to a file and read from it again, in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spam_model.data.label_files import FORMATS, find_label_files, read_labels
from spam_model.errors import FormatError, InputError
from spam_model.values import ClipInfo, Labels
from tests.spam_model.builders import clip_info

CLASSES = ("person", "car", "vélo, grand")
PRECISION = 0.0011  # px; corner and size are rounded to 0.001 each


@st.composite
def any_labels(draw: st.DrawFn, class_names: tuple[str, ...]) -> Labels:
    """Boxes inside, across and beyond the border, of tracks numbered anyhow."""
    cell = st.tuples(st.integers(0, 2**40), st.integers(0, 9))
    content = st.tuples(
        *[st.floats(-500, 1000)] * 2,
        *[st.floats(0.01, 2000)] * 2,
        st.integers(0, len(class_names) - 1),
        st.floats(0, 1),
        st.booleans(),
    )
    cells = draw(st.dictionaries(cell, content, max_size=12))
    table = np.array([[*key, *values] for key, values in cells.items()], float).reshape(-1, 9)
    box = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    info = clip_info(frame_count=10, class_names=class_names)
    return Labels.build(
        info, table[:, 0], table[:, 1], box, class_id=table[:, 6], score=table[:, 7], occluded=table[:, 8]
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("class_names", [CLASSES[:1], CLASSES])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_labels_come_back_from_their_file_to_its_precision(
    tmp_path_factory: pytest.TempPathFactory, class_names: tuple[str, ...], name: str, data: st.DataObject
) -> None:
    labels = data.draw(any_labels(class_names))
    path = tmp_path_factory.mktemp("labels") / "deep" / f"clip{FORMATS[name].suffix}"
    FORMATS[name].write(labels, path)
    again = read_labels(path, labels.info)
    for column in ("track", "frame", "class_id"):
        assert getattr(again, column).tolist() == getattr(labels, column).tolist(), column
    assert np.allclose(again.box, labels.box, rtol=0, atol=PRECISION)
    assert np.allclose(again.score, labels.score, rtol=0, atol=0.0001)
    assert (again.candidate_id == -1).all()
    if name == "coco-video":
        assert again.occluded.tolist() == labels.occluded.tolist()
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_spoilt_file_is_read_or_refused_by_its_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    labels = data.draw(any_labels(CLASSES))
    path = tmp_path_factory.mktemp("labels") / f"clip{FORMATS[name].suffix}"
    FORMATS[name].write(labels, path)
    content = path.read_bytes()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    patch = data.draw(
        st.one_of(st.binary(max_size=3), st.sampled_from([b"-1", b"1e999", b"1e300", b"NaN", b"null", b",", b"{"]))
    )
    path.write_bytes(content[:start] + patch + content[end:])
    try:
        read_labels(path, labels.info)
    except FormatError as error:
        assert str(path) in str(error)


def test_both_formats_tell_the_same(tmp_path: Path) -> None:
    info = ClipInfo("street", 5, 10.0, 100, 100, CLASSES)
    box = np.array([[0, 0, 10, 20.5], [-3, 7, 9, 8], [90, 90, 120, 130]])
    labels = Labels.build(info, np.array([2, 1, 1]), np.array([0, 3, 4]), box, class_id=np.array([2, 1, 1]))
    read = []
    for label_format in FORMATS.values():
        path = tmp_path / f"street{label_format.suffix}"
        label_format.write(labels, path)
        read.append(read_labels(path, info))
    for column in ("track", "frame", "box", "class_id", "score"):
        assert getattr(read[0], column).tolist() == getattr(read[1], column).tolist(), column


def test_a_file_of_another_ending_is_no_label_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels are read from \.txt and \.json"):
        read_labels(tmp_path / "labels.csv", clip_info(1))


def test_label_files_are_found_by_sequence_and_questions_are_none(tmp_path: Path) -> None:
    for name in ("A.txt", "A.queries.json", "B.json", "C.csv"):
        (tmp_path / name).write_text("")
    assert find_label_files(tmp_path) == {"A": tmp_path / "A.txt", "B": tmp_path / "B.json"}
    (tmp_path / "A.json").write_text("")
    with pytest.raises(InputError, match=r"both A\.txt and A\.json"):
        find_label_files(tmp_path)

"""What a command may be pointed at, and what is said of all else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spam_model.data.inputs import read_constraints, read_input, read_truth
from spam_model.errors import FormatError, InputError
from spam_model.storage import constraints_to_bytes, write_candidates
from spam_model.values import Constraint, ConstraintKind, Constraints
from tests.spam_model.active.worlds import anchor
from tests.spam_model.commands.folders import small_clip, write_folder

CLIP = small_clip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "street", CLIP)


def test_a_folder_gives_its_detections_and_its_truth(folder: Path) -> None:
    candidates, truth = read_input(folder), read_truth(folder)
    assert candidates.info.name == "street"
    assert np.allclose(candidates.box, CLIP.candidates.box)
    assert np.array_equal(candidates.score, CLIP.candidates.score)
    assert np.array_equal(truth.track, CLIP.truth.track + 1)
    assert np.allclose(truth.box, CLIP.truth.box)


def test_a_candidates_file_gives_what_was_written(tmp_path: Path) -> None:
    write_candidates(tmp_path / "c.safetensors", CLIP.candidates)
    read = read_input(tmp_path / "c.safetensors")
    assert read.info == CLIP.candidates.info
    assert np.array_equal(read.embedding, CLIP.candidates.embedding)


def test_other_detections_of_the_folder_are_found_by_name(folder: Path) -> None:
    (folder / "det" / "mine.txt").write_text("1,-1,5,5,20,50,0.9,-1,-1,-1\n")
    assert len(read_input(folder, "mine")) == 1


def test_answers_come_back_as_written(tmp_path: Path) -> None:
    constraints = Constraints((Constraint(ConstraintKind.ACCEPT, anchor(1)),))
    (tmp_path / "answers.json").write_bytes(constraints_to_bytes(constraints))
    assert read_constraints(tmp_path / "answers.json") == constraints


def test_what_is_not_there_is_named(tmp_path: Path, folder: Path) -> None:
    for read in (read_input, read_truth, read_constraints):
        with pytest.raises(InputError, match="nowhere"):
            read(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"det/other\.txt: no such file"):
        read_input(folder, "other")


@pytest.mark.parametrize("read", [read_input, read_constraints])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00" * 40])
def test_a_file_of_something_else_is_named_with_what_is_wrong(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"other\.bin: .*{'candidates' if read is read_input else 'constraints'}"):
        read(path)  # type: ignore[operator]

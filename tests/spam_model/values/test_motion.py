"""Where a motion model saw a candidate in other frames."""

import numpy as np
import pytest

from spam_model.errors import FormatError
from spam_model.values import MotionEvidence

EVIDENCE = MotionEvidence.build(
    id=np.array([7, 5, 5, 5]),
    frame=np.array([4, 20, 10, 14]),
    box=np.array([[0, 0, 9, 9], [30, 0, 40, 10], [0, 0, 10, 10], [20, 0, 30, 10]]),
    visibility=np.array([1.0, 0.2, 0.9, 0.5]),
)


@pytest.mark.parametrize(
    ("id", "frame", "left", "visibility", "known"),
    [
        (5, 10, 0, 0.9, True),
        (5, 12, 10, 0.5, True),
        (5, 14, 20, 0.5, True),
        (5, 17, 25, 0.2, True),
        (5, 9, 0, 0, False),
        (5, 21, 0, 0, False),
        (7, 4, 0, 1.0, True),
        (7, 5, 0, 0, False),
        (6, 12, 0, 0, False),
        (99, 4, 0, 0, False),
    ],
)
def test_a_candidate_is_where_it_was_seen_or_on_the_line_between(id, frame, left, visibility, known):
    box, sure, found = EVIDENCE.at(np.array([id]), np.array([frame]))
    assert found[0] == known
    assert sure[0] == visibility
    assert box[0, 0] == pytest.approx(left)


def test_of_no_evidence_nothing_is_known():
    nothing = MotionEvidence.build(np.zeros(0), np.zeros(0), np.zeros((0, 4)), np.zeros(0))
    assert not nothing.at(np.array([1, 2]), np.array([0, 3]))[2].any()


def test_a_frame_of_a_candidate_cannot_be_told_twice():
    with pytest.raises(FormatError, match="sorted"):
        MotionEvidence.build(np.array([1, 1]), np.array([3, 3]), np.zeros((2, 4)), np.ones(2))

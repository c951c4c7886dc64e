"""Cutting a track by jobs and putting it together again loses no box."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cvat_bridge.embedded.server.tracks import (
    empty_annotations,
    merge_annotations,
    shape_at,
    slice_annotations,
)


def _shape(frame: int, x: float, outside: bool = False) -> dict[str, Any]:
    points = [x, 0.0, x + 40.0, 80.0]
    return {
        "frame": frame,
        "type": "rectangle",
        "points": points,
        "outside": outside,
        "occluded": False,
        "rotation": 0,
        "z_order": 0,
        "attributes": [],
    }


def _track(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"frame": shapes[0]["frame"], "label_id": 1, "group": 0, "attributes": [], "shapes": list(shapes)}


def _jobs(size: int, length: int, overlap: int) -> list[tuple[int, int]]:
    return [(start, min(start + length, size) - 1) for start in range(0, size, length - overlap)]


def _merged(track: dict[str, Any], jobs: list[tuple[int, int]], overlap: int) -> list[dict[str, Any]]:
    merged = empty_annotations()
    for start, stop in jobs:
        part = slice_annotations({"tags": [], "shapes": [], "tracks": [track]}, start, stop)
        merge_annotations(merged, part, start, overlap)
    return merged["tracks"]


keyframes = st.lists(st.integers(0, 39), min_size=1, max_size=6, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(frames=keyframes, outside=st.lists(st.booleans(), min_size=6, max_size=6), overlap=st.sampled_from([0, 4]))
def test_every_visible_box_up_to_the_last_keyframe_survives_the_cut(
    frames: list[int], outside: list[bool], overlap: int
) -> None:
    shapes = [_shape(frame, 3.0 * frame, gone) for frame, gone in zip(frames, outside, strict=False)]
    jobs = _jobs(40, 20, overlap)
    parts = [slice_annotations({"tags": [], "shapes": [], "tracks": [_track(*shapes)]}, *job)["tracks"] for job in jobs]
    for frame in range(frames[-1] + 1):
        whole = shape_at(shapes, frame)
        if whole is None or whole["outside"]:
            continue
        for (start, stop), tracks in zip(jobs, parts, strict=True):
            if start <= frame <= stop:
                found = shape_at(tracks[0]["shapes"], frame)
                assert found is not None
                assert not found["outside"]
                assert all(abs(a - b) < 1e-6 for a, b in zip(found["points"], whole["points"], strict=True))


def test_with_an_overlap_the_parts_become_one_track_again() -> None:
    track = _track(_shape(5, 10.0), _shape(25, 30.0), _shape(35, 40.0, outside=True))
    (merged,) = _merged(track, _jobs(40, 20, 5), 5)
    assert [shape["frame"] for shape in merged["shapes"]] == [5, 15, 19, 25, 30, 34, 35]


def test_without_an_overlap_each_part_is_closed_at_the_border() -> None:
    track = _track(_shape(5, 10.0), _shape(25, 30.0))
    first, second = _merged(track, _jobs(40, 20, 0), 0)
    assert [(shape["frame"], shape["outside"]) for shape in first["shapes"]] == [(5, False), (19, False), (20, True)]
    assert [(shape["frame"], shape["outside"]) for shape in second["shapes"]] == [(20, False), (25, False)]


def test_boxes_that_disagree_in_the_overlap_stay_two_tracks() -> None:
    merged = {**empty_annotations(), "tracks": [_track(_shape(0, 0.0), _shape(19, 0.0))]}
    merge_annotations(merged, {**empty_annotations(), "tracks": [_track(_shape(15, 200.0))]}, 15, 5)
    old, new = merged["tracks"]
    assert (old["shapes"][-1]["frame"], old["shapes"][-1]["outside"]) == (20, True)
    assert [shape["frame"] for shape in new["shapes"]] == [15]

"""Small values that many tests of the model start from."""

from __future__ import annotations

from spam_model.values import ClipInfo


def clip_info(frame_count: int, frame_rate: float = 25.0, class_names: tuple[str, ...] = ("person",)) -> ClipInfo:
    """A clip named "clip" of 640 × 480 px."""
    return ClipInfo("clip", frame_count, frame_rate, 640, 480, class_names)

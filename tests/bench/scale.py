"""Speed on street and crowd, growth with the length of the video, and memory."""

from __future__ import annotations

import json
import subprocess
import sys

from spam_model.labeler import Labeler
from spam_model.values import Candidates
from tests.bench import clips
from tests.bench.ratio import Ratio, seconds

TARGET_STREET, TARGET_CROWD = 400, 60  # frames/s
TARGET_MEMORY = 3000  # MB, for 16 000 frames × 60 candidates
LENGTHS = (1000, 4000)
LONG = 16_000


def throughput(labeler: Labeler) -> list[Ratio]:
    """Candidates to labels, all stages, against the speed that the project promises."""
    street, crowd = clips.street(500), clips.crowd(125)
    return [
        Ratio(f"label, {clips.per_frame(clip)} candidates a frame", "target", "frames/s", _speed(labeler, clip), target)
        for clip, target in ((street, TARGET_STREET), (crowd, TARGET_CROWD))
    ]


def growth(labeler: Labeler, lengths: tuple[int, ...] = LENGTHS) -> list[Ratio]:
    """Time of a long video against that of a short one times the ratio of their lengths: 1 is linear."""
    short = clips.street(lengths[0])
    base = seconds(lambda: labeler.label(short), 1)
    return [
        Ratio(
            f"label {length} frames",
            f"{length // lengths[0]} × the time of {lengths[0]}",
            "s",
            seconds(lambda length=length: labeler.label(clips.street(length)), 1),
            base * length / lengths[0],
        )
        for length in lengths[1:]
    ]


def memory(frames: int, device: str) -> list[Ratio]:
    """The peak of a process of its own that labels one video."""
    command = [sys.executable, "-m", "tests.bench.memory", str(frames), device]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    what = f"memory of labelling {frames} frames × {found['per_frame']}"
    return [Ratio(what, f"target for {LONG} frames × 60", "MB", found["peak"], TARGET_MEMORY)]


def _speed(labeler: Labeler, candidates: Candidates) -> float:
    return candidates.info.frame_count / seconds(lambda: labeler.label(candidates), 2)

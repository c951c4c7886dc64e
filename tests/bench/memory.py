"""``python -m tests.bench.memory FRAMES DEVICE``: peak memory of labelling a video, as JSON, in its own process."""

from __future__ import annotations

import json
import resource
import sys

from spam_model.labeler import Labeler
from tests.bench import clips


def main() -> None:
    frames, device = int(sys.argv[1]), sys.argv[2]
    candidates = clips.repeated(clips.dense(), frames)
    Labeler.load(device=device).label(candidates)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000  # kB on Linux
    print(json.dumps({"per_frame": clips.per_frame(candidates), "peak": peak}))


if __name__ == "__main__":
    main()

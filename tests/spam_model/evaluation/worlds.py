"""MOTChallenge folders with random truth and imperfect results, for tests of the metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FRAMES = 40


def write_sequence(gt_dir: Path, pred_dir: Path, name: str, seed: int, mot15: bool = False) -> None:
    """Walkers with jitter, misses, identity switches, false alarms and, but for MOT15, distractors and vehicles."""
    rng = np.random.default_rng(seed)
    truth, result = [], []
    kinds = [1, 1, 1, 1, 1, 2, 7, 8, 12, 3, 9]
    for track in range(1, 12):
        kind = kinds[track - 1]
        start, velocity = rng.uniform(0, 400, 2), rng.normal(0, 4, 2)
        size = np.array([30.0, 80.0]) * rng.uniform(0.7, 1.4)
        switch = rng.integers(10, 30)
        for frame in range(rng.integers(0, 8), FRAMES - rng.integers(0, 8)):
            corner = np.round(start + frame * velocity, 1)
            flag = int(kind == 1 and not (track == 5 and frame % 2))
            tail = f"{flag},-1,-1,-1" if mot15 else f"{flag},{kind},{rng.uniform():.2f}"
            truth.append(f"{frame + 1},{track},{corner[0]:.1f},{corner[1]:.1f},{size[0]:.1f},{size[1]:.1f},{tail}")
            if rng.random() < 0.8:
                x, y = corner + rng.normal(0, 5, 2)
                identity = track + 20 * (frame > switch and track % 3 == 0)
                result.append(f"{frame + 1},{identity},{x:.1f},{y:.1f},{size[0]:.1f},{size[1]:.1f},0.9,-1,-1,-1")
    for alarm in range(30):
        x, y = rng.uniform(0, 500, 2)
        result.append(f"{rng.integers(1, FRAMES + 1)},{100 + alarm},{x:.1f},{y:.1f},30,80,0.4,-1,-1,-1")
    folder = gt_dir / name
    (folder / "gt").mkdir(parents=True)
    pred_dir.mkdir(exist_ok=True)
    (folder / "gt" / "gt.txt").write_text("\n".join(truth) + "\n")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={name}\nframeRate=25\nseqLength={FRAMES}\nimWidth=640\nimHeight=480\n"
    )
    (pred_dir / f"{name}.txt").write_text("\n".join(result) + "\n")

"""A small clip with ground truth: people of one colour each, crossing a grey street."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, FRAMES = 320, 240, 30
WALKS = ((10, 30, 5.0, 0.5), (250, 40, -5.0, 0.2), (20, 90, 4.0, 0.0), (240, 80, -3.5, 0.4), (100, 60, 1.0, 1.5))
COLOURS = ((40, 40, 220), (220, 60, 40), (60, 200, 60), (30, 200, 220), (200, 60, 200))
BOX = (26, 70)  # px


def boxes(frame: int) -> list[tuple[float, float, float, float]]:
    """x1 y1 x2 y2 of everybody, whole pixels."""
    width, height = BOX
    found = []
    for x, y, across, down in WALKS:
        left, top = float(round(x + across * frame)), float(round(y + down * frame))
        found.append((left, top, left + width, top + height))
    return found


def write_sequence(folder: Path, frames: int = FRAMES) -> Path:
    """A MOTChallenge folder: video.mp4, gt/gt.txt, det/det.txt, seqinfo.ini."""
    for part in ("gt", "det"):
        (folder / part).mkdir(parents=True)
    rows = []
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    street = np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for frame in range(frames):
        image = street.copy()
        for number, (box, colour) in enumerate(zip(boxes(frame), COLOURS, strict=True), start=1):
            left, top, right, bottom = (int(value) for value in box)
            cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, -1)
            if right > 0 and left < WIDTH:
                rows.append((frame + 1, number, left + 1, top + 1, *BOX))
        writer.write(image)
    writer.release()
    (folder / "gt" / "gt.txt").write_text(
        "".join(f"{f},{n},{x},{y},{w},{h},1,1,1\n" for f, n, x, y, w, h in sorted(rows, key=lambda row: row[1::-1]))
    )
    (folder / "det" / "det.txt").write_text("".join(f"{f},-1,{x},{y},{w},{h},0.9\n" for f, n, x, y, w, h in rows))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nframeRate=25\nseqLength={frames}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    )
    return folder

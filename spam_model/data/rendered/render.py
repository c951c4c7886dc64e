"""The rendered demo clip: a MOTChallenge sequence folder with a video of a street and its ground truth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from spam_model.data.rendered.camera import camera_path
from spam_model.data.rendered.street import OVERSAMPLING, Sighting, Street
from spam_model.data.rendered.walks import make_walkers
from spam_model.errors import VideoError

DEMO_SEED = 6  # fourteen people, some forty crossings

_MIN_INSIDE = 0.1  # a person is in the picture from this share of the figure on
_HIDDEN = 0.03  # visibility up to which a person counts as hidden
_MAX_HIDDEN = 2.0  # s; whoever is hidden for longer is not annotated while hidden


def render_clip(
    folder: Path,
    *,
    seed: int = DEMO_SEED,
    frames: int = 240,
    people: int = 14,
    width: int = 640,
    height: int = 360,
    frame_rate: float = 10.0,
) -> Path:
    """Draws a street with walking people, and writes ``video.mp4``, ``gt/gt.txt`` and ``seqinfo.ini``.

    Boxes are around whole figures, also where they are hidden or reach beyond the image; visibility is the share of the
    figure's pixels that is seen. The same arguments give the same frames and the same ground truth.

    Args:
        folder: made where it is missing; the sequence is named after it.
        seed: of everything that is drawn by chance.
        frames, people, width, height, frame_rate: of the clip; width and height even, in px, frames/s.

    Returns:
        ``folder``.

    Raises:
        VideoError: OpenCV cannot write the video.
    """
    rng = np.random.default_rng(seed)
    walkers = make_walkers(people, frames, frame_rate, rng)
    street = Street(width, height, rng)
    cameras = camera_path(frames, frame_rate, width * OVERSAMPLING, height * OVERSAMPLING, rng)
    (folder / "gt").mkdir(parents=True, exist_ok=True)
    video = folder / "video.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), frame_rate, (width, height))
    if not writer.isOpened():
        raise VideoError(f"{video}: OpenCV cannot write MPEG-4 video here; check that the folder can be written to")
    sightings: list[list[Sighting]] = []
    for frame in tqdm(range(frames), desc="render", unit="frame", disable=None):
        picture, seen = street.render(cameras[frame], walkers, frame)
        writer.write(picture)
        sightings.append([sighting for sighting in seen if sighting.inside >= _MIN_INSIDE])
    writer.release()
    (folder / "gt" / "gt.txt").write_text("".join(_rows(sightings, frame_rate)), encoding="ascii")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.resolve().name}\nimDir=img1\nframeRate={frame_rate:g}\nseqLength={frames}\n"
        f"imWidth={width}\nimHeight={height}\nimExt=.jpg\n",
        encoding="ascii",
    )
    return folder


def _rows(sightings: list[list[Sighting]], frame_rate: float) -> list[str]:
    """Rows ``frame,id,x,y,w,h,1,1,visibility``, all 1-based, without those of people hidden for long."""
    annotated = {
        (person, frame)
        for person in {sighting.walker for seen in sightings for sighting in seen}
        for frame in _annotated_frames(person, sightings, frame_rate)
    }
    return [
        f"{frame + 1},{s.walker + 1},{s.box[0] + 1:.2f},{s.box[1] + 1:.2f},{s.box[2] - s.box[0]:.2f},"
        f"{s.box[3] - s.box[1]:.2f},1,1,{s.visibility:.3f}\n"
        for frame, seen in enumerate(sightings)
        for s in seen
        if (s.walker, frame) in annotated
    ]


def _annotated_frames(person: int, sightings: list[list[Sighting]], frame_rate: float) -> list[int]:
    """The person's frames less each run of hidden ones that lasts longer than two seconds."""
    visibility = {frame: s.visibility for frame, seen in enumerate(sightings) for s in seen if s.walker == person}
    result: list[int] = []
    hidden: list[int] = []
    for frame in [*visibility, len(sightings)]:
        if frame < len(sightings) and visibility[frame] <= _HIDDEN:
            hidden.append(frame)
            continue
        if len(hidden) <= _MAX_HIDDEN * frame_rate:
            result += hidden
        hidden = []
        if frame < len(sightings):
            result.append(frame)
    return result

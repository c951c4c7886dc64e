"""Small videos whose frames carry their number as a bar code, written by PyAV, and read by it as CVAT reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from spam_model.data.clip import Image

WIDTH, HEIGHT = 160, 96
_BITS = 10
_TICK = Fraction(1, 1000)  # s
_MATRIX = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # degrees clockwise


def numbered(number: int) -> Image:
    """Ten bars, one for each bit of the number, over coloured blocks that change from frame to frame."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    blocks = np.random.default_rng(number).integers(0, 255, (6, 10, 3), np.uint8)
    image[48:] = cv2.resize(blocks, (WIDTH, 48), interpolation=cv2.INTER_NEAREST)
    for bit in range(_BITS):
        image[8:40, bit * 16 : bit * 16 + 16] = 255 * (number >> bit & 1)
    return image


def number_of(image: Image) -> int:
    """What ``numbered`` wrote, also after lossy coding."""
    return sum(int(image[14:34, bit * 16 + 4 : bit * 16 + 12].mean() > 128) << bit for bit in range(_BITS))


def write_numbered(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
) -> Path:
    """``times``: ms of each frame; 25 frames/s by default. Key frames every 20 frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, pixels, 20
        if times is not None:
            stream.codec_context.time_base = _TICK
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="bgr24")
            frame.time_base = Fraction(1, 25) if times is None else _TICK
            frame.pts = number if times is None else times[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, degrees: int, target: Path) -> Path:
    """The MP4 file with a display matrix that turns it clockwise, as phones write it."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in _MATRIX[degrees])
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version and flags, times and ids, reserved, layer and volume
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def damaged(path: Path, target: Path, share: float = 0.4, length: int = 400) -> Path:
    """The file with ``length`` bytes of noise at this share of its size."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * share)
    data[start : start + length] = np.random.default_rng(1).bytes(length)
    target.write_bytes(data)
    return target


class Decoded(NamedTuple):
    seconds: float | None
    image: Image


def decoded_as_cvat_does(path: Path) -> list[Decoded]:
    """Every frame that PyAV decodes, turned as the file says; broken packets are passed over."""
    frames = []
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in decoded:
                image = np.rot90(frame.to_ndarray(format="bgr24"), frame.rotation // 90)
                frames.append(Decoded(None if frame.pts is None else float(frame.pts * frame.time_base), image))
    return frames

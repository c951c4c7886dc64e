"""Small videos and images that the tests make themselves."""

import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 320, 240


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """A grey picture that tells its number: how many of the 16 blocks at the top are white, in binary."""
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    rng = np.random.default_rng(0)
    image[height // 2 :] = rng.integers(0, 255, (height - height // 2, width, 3), dtype=np.uint8)
    for bit in range(16):
        if number >> bit & 1:
            image[10:30, bit * 20 : bit * 20 + 20] = 255
    cv2.rectangle(image, (number % 40 * 5, 50), (number % 40 * 5 + 40, 110), (0, 0, 255), -1)
    return image


def number_of(image: npt.NDArray[np.uint8]) -> int:
    return sum(1 << bit for bit in range(16) if image[20, bit * 20 + 10].mean() > 170)


@cache
def video(frames: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
        for number in range(frames):
            writer.write(picture(number))
        writer.release()
        return path.read_bytes()


def image_file(suffix: str, number: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    done, content = cv2.imencode(suffix, picture(number, width, height))
    assert done
    return bytes(content)


def media(name: str, width: int | None = None, height: int | None = None) -> bytes:
    """Content for a file of a recording: ``clip40.mp4`` is a video of 40 frames."""
    path = Path(name)
    if path.suffix == ".mp4":
        return video(int(path.stem.removeprefix("clip")))
    if path.suffix == ".zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a.jpg", image_file(".jpg", 1))
        return packed.getvalue()
    return image_file(path.suffix, 0, width or WIDTH, height or HEIGHT)


def decoded(content: bytes) -> npt.NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)

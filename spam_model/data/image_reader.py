"""Frames of a folder of images, in natural order of their names."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from spam_model.data.frames import Image
from spam_model.errors import VideoError
from spam_model.values.candidates import FloatArray

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


class ImageReader:
    """Whatever the files hold comes as 8-bit BGR, turned as their EXIF says: grey is repeated, 16 bits lose the lower
    eight, an alpha channel is left away.
    """

    frame_rate = 0.0
    times: FloatArray | None = None

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            VideoError: there is no image in the folder, or the first does not decode.
        """
        self._paths = image_files(folder)
        if not self._paths:
            raise VideoError(
                f"{folder}: neither a video nor an image here; give a video file, a folder of images, "
                "or a sequence folder with video.* or img1/"
            )
        self.frame_count = len(self._paths)
        height, width = self.read(0).shape[:2]
        self.size = (width, height)

    def read(self, index: int) -> Image:
        """
        Raises:
            VideoError: the file cannot be read, or is not a whole image.
        """
        path = self._paths[index]
        try:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # an empty file
            image = None
        except OSError as error:
            raise VideoError(f"{path} (frame {index}): cannot be read ({error.strerror or error})") from error
        if image is None:
            raise VideoError(f"{path} (frame {index}): does not decode as an image; replace or remove it")
        return np.asarray(image, np.uint8)


def image_files(folder: Path) -> list[Path]:
    """Its images, ``9.jpg`` before ``10.jpg``."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES), key=_natural_key)


def _natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], path.name

"""Folders of images of every kind: 8-bit BGR in natural order, or an error that names the frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from spam_model.data import clip as clip_module
from spam_model.data.clip import Clip, Image
from spam_model.errors import VideoError

RNG = np.random.default_rng(2)
COLOUR = cv2.resize(RNG.integers(0, 255, (12, 16, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
GREY = COLOUR[..., 1]
CLEAR = np.dstack([COLOUR, np.zeros(GREY.shape, np.uint8)])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        (COLOUR, COLOUR),
        (GREY, np.dstack([GREY] * 3)),
        (COLOUR.astype(np.uint16) * 257, COLOUR),
        (GREY.astype(np.uint16) * 257, np.dstack([GREY] * 3)),
        (CLEAR, COLOUR),
        (COLOUR[:1, :1], COLOUR[:1, :1]),
    ],
    ids=["colour", "grey", "16 bits", "16 bits of grey", "transparent", "one pixel"],
)
def test_whatever_an_image_holds_comes_as_bgr(tmp_path: Path, suffix: str, stored: np.ndarray, seen: Image) -> None:
    if suffix == ".bmp" and stored.dtype == np.uint16:
        return  # there are no such files
    cv2.imwrite(str(tmp_path / f"1{suffix}"), stored)
    clip = Clip.open(tmp_path, frame_rate=5)
    assert np.array_equal(clip.frame(0), seen)
    assert (clip.info.width, clip.info.height) == (seen.shape[1], seen.shape[0])


def test_a_palette_and_an_orientation_are_seen_through(tmp_path: Path) -> None:
    PillowImage.fromarray(GREY).convert("P").save(tmp_path / "1.png")
    assert np.array_equal(Clip.open(tmp_path, frame_rate=5).frame(0)[..., 0], GREY)
    turned = tmp_path / "turned"
    turned.mkdir()
    exif = PillowImage.Exif()
    exif[274] = 6  # to be turned by 90° clockwise
    PillowImage.fromarray(GREY).save(turned / "1.jpg", exif=exif, quality=98)
    shown = Clip.open(turned, frame_rate=5).frame(0)
    assert np.abs(np.rot90(shown[..., 0]).astype(int) - GREY).mean() < 2


def test_a_panorama_of_12000_px_is_read_whole_and_not_kept_in_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_module, "_CACHED_BYTES", 2**20)
    wide = np.zeros((20, 12_000, 3), np.uint8)
    for number in range(7):
        wide[:, 11_990:] = number
        cv2.imwrite(str(tmp_path / f"{number}.bmp"), wide)
    clip = Clip.open(tmp_path, frame_rate=5)
    assert [int(image[0, -1, 0]) for _, image in clip.frames()] == list(range(7))
    assert sum(image.nbytes for image in clip._cache.values()) <= 2**20


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_half_an_image_is_none_and_named_with_its_frame(tmp_path: Path, suffix: str, share: float) -> None:
    whole = cv2.imencode(suffix, COLOUR)[1].tobytes()
    (tmp_path / f"1{suffix}").write_bytes(whole)
    (tmp_path / f"2{suffix}").write_bytes(whole[: int(len(whole) * share)])
    clip = Clip.open(tmp_path, frame_rate=5)
    clip.frame(0)
    with pytest.raises(VideoError, match=rf"2\{suffix} \(frame 1\): does not decode as an image; replace or remove"):
        clip.frame(1)


def test_an_image_that_vanishes_is_named_with_its_frame(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / name), COLOUR)
    clip = Clip.open(tmp_path, frame_rate=5)
    (tmp_path / "2.png").unlink()
    with pytest.raises(VideoError, match=r"2\.png \(frame 1\): cannot be read \(No such file"):
        clip.frame(1)


def test_times_follow_the_frame_rate(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        cv2.imwrite(str(tmp_path / name), COLOUR)
    assert Clip.open(tmp_path, frame_rate=5).times.tolist() == [0, 0.2, 0.4]

"""Frame k of any video is the k-th that CVAT's decoder gives, in whatever order frames are asked for."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from spam_model.data.clip import Clip
from spam_model.errors import VideoError
from tests.spam_model.data.videos import (
    Decoded,
    damaged,
    decoded_as_cvat_does,
    number_of,
    turned,
    write_numbered,
)

FRAMES = 130
VARYING = np.cumsum(np.random.default_rng(0).choice([10, 20, 33, 40, 66, 200], FRAMES)).tolist()  # ms
B_FRAMES = {"bf": "3"}
OPEN_GOP = {"bf": "3", "x264-params": "open-gop=1:keyint=20:min-keyint=20:scenecut=0"}
VIDEOS = {
    "b-frames.mp4": {"options": B_FRAMES},
    "open-gop.mp4": {"options": OPEN_GOP},
    "varying.mp4": {"options": B_FRAMES, "times": VARYING},
    "varying.mkv": {"options": B_FRAMES, "times": VARYING},
    "stream.ts": {"options": B_FRAMES},
    "motion.avi": {"codec": "mpeg4", "options": {"bf": "2"}},  # its time stamps do not name frames
    "stills.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "web.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module", params=VIDEOS)
def video(request: pytest.FixtureRequest, folder: Path) -> Path:
    path = folder / request.param
    return path if path.exists() else write_numbered(path, FRAMES, **VIDEOS[request.param])


@pytest.fixture(scope="module")
def reference(video: Path) -> list[Decoded]:
    return decoded_as_cvat_does(video)


def test_frames_are_counted_and_look_as_in_cvat(video: Path, reference: list[Decoded]) -> None:
    clip = Clip.open(video)
    assert clip.info.frame_count == len(reference) == FRAMES
    for index, image in clip.frames():
        assert number_of(image) == index
        assert np.array_equal(image, reference[index].image)


def test_frames_at_random_are_those_in_order(video: Path, reference: list[Decoded]) -> None:
    clip = Clip.open(video)
    order = [120, 2, 119, 60, 129, 0, 61, 75, 10, *np.random.default_rng(5).integers(0, FRAMES, 25).tolist()]
    for index in order:
        assert np.array_equal(clip.frame(index), reference[index].image), index


@pytest.mark.parametrize("name", ["varying.mp4", "varying.mkv", "stream.ts"])
def test_times_are_those_of_the_file_and_the_rate_is_their_mean(folder: Path, name: str) -> None:
    path = folder / name
    reference = decoded_as_cvat_does(path if path.exists() else write_numbered(path, FRAMES, **VIDEOS[name]))
    clip = Clip.open(path)
    seconds = np.array([frame.seconds for frame in reference])
    assert clip.times == pytest.approx(seconds - seconds[0], abs=1e-6)
    assert clip.info.frame_rate == pytest.approx((FRAMES - 1) / (seconds[-1] - seconds[0]), rel=0.02)


def test_a_varying_rate_is_no_reason_to_warn(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "varying.mkv"
    Clip.open(path if path.exists() else write_numbered(path, FRAMES, **VIDEOS["varying.mkv"]))
    assert caplog.text == ""


def test_seeking_spares_the_way_from_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_numbered(folder / "long.mp4", 400, options=B_FRAMES)
    clip = Clip.open(path)
    opened = []
    genuine = type(clip._reader)._rewind
    monkeypatch.setattr(type(clip._reader), "_rewind", lambda reader: (opened.append(1), genuine(reader)))
    assert [number_of(clip.frame(index)) for index in (390, 200, 300, 130)] == [390, 200, 300, 130]
    assert not opened


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phone_video_is_turned_as_cvat_turns_it(folder: Path, degrees: int) -> None:
    upright = folder / "upright.mp4"
    path = turned(
        upright if upright.exists() else write_numbered(upright, 60), degrees, folder / f"turned{degrees}.mp4"
    )
    clip, reference = Clip.open(path), decoded_as_cvat_does(path)
    assert (clip.info.width, clip.info.height) == ((160, 96) if degrees % 180 == 0 else (96, 160))
    for index in (0, 59, 7):
        assert np.array_equal(clip.frame(index), reference[index].image)
    straight = np.rot90(clip.frame(3), degrees // 90)
    assert number_of(straight) == 3


@pytest.mark.parametrize("name", ["b-frames.mp4", "stills.avi", "web.webm", "stream.ts"])
def test_a_broken_packet_in_the_middle_ends_nothing(folder: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = folder / name
    whole = whole if whole.exists() else write_numbered(whole, FRAMES, **VIDEOS[name])
    path = damaged(whole, folder / f"damaged-{name}")
    with caplog.at_level(logging.WARNING):
        clip = Clip.open(path)
    reference = decoded_as_cvat_does(path)
    assert clip.info.frame_count == len(reference)
    assert FRAMES - 10 <= len(reference) <= FRAMES
    assert number_of(clip.frame(len(reference) - 1)) == FRAMES - 1
    in_order = [image.copy() for _, image in Clip.open(path).frames()]
    for index in (100, 3, 60, 55, len(reference) - 1):
        assert np.array_equal(clip.frame(index), in_order[index])
    if len(reference) < FRAMES:
        assert path.name in caplog.text


def test_a_truncated_mp4_is_refused_with_advice(folder: Path) -> None:
    whole = write_numbered(folder / "cut-me.mp4", 20)
    path = folder / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"cut\.mp4: no frame of it decodes as video; check that the file is complete"):
        Clip.open(path)


def test_a_file_that_is_replaced_meanwhile_is_named_with_the_frame(folder: Path) -> None:
    path = write_numbered(folder / "shrinks.mkv", 60)
    clip = Clip.open(path)
    clip.frame(59)
    write_numbered(folder / "shorter.mkv", 5).replace(path)
    with pytest.raises(VideoError, match=r"shrinks\.mkv: frame 40 decoded before and does not any more"):
        clip.frame(40)

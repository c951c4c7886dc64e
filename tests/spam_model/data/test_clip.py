"""Frames by number: exact, counted truly, and errors that say what to do."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spam_model.data.clip import Clip, Image
from spam_model.errors import InputError, VideoError

FRAMES = 90


def picture(number: int, width: int = 96, height: int = 64) -> Image:
    """A picture that says its number, also after lossy coding: a bar, and a shade."""
    image = np.full((height, width, 3), 40 + number, np.uint8)
    image[10:40, number % width : number % width + 8] = (0, 200, 255)
    return image


def write_video(path: Path, fourcc: str, count: int = FRAMES, frame_rate: float = 12.5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), frame_rate, (96, 64))
    assert writer.isOpened()
    for number in range(count):
        writer.write(picture(number))
    writer.release()
    return path


def decoded_in_order(path: Path) -> list[Image]:
    """The reference: OpenCV's own sequential reading."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while True:
        good, image = capture.read()
        if not good:
            return frames
        frames.append(image)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "walk.mp4", "mp4v")


@pytest.fixture(scope="module")
def reference(video: Path) -> list[Image]:
    return decoded_in_order(video)


def test_a_video_says_its_name_count_rate_and_size(video: Path) -> None:
    info = Clip.open(video).info
    assert (info.name, info.frame_count, info.frame_rate, info.width, info.height) == ("walk", FRAMES, 12.5, 96, 64)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=25))
def test_a_frame_read_in_any_order_is_the_frame_read_in_sequence(
    video: Path, reference: list[Image], order: list[int]
) -> None:
    clip = Clip.open(video)
    for index in order:
        assert np.array_equal(clip.frame(index), reference[index])


@pytest.mark.parametrize("error", [-3, 2], ids=["seeks land too early", "seeks land too late"])
def test_inexact_seeking_is_noticed_and_not_believed(
    video: Path, reference: list[Image], monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    seeks = []

    class Inexact:
        def __init__(self, *arguments: object) -> None:
            self.capture = genuine(*arguments)

        def set(self, what: int, value: float) -> bool:
            seeks.append(value)
            return bool(self.capture.set(what, max(0, value + error)))

        def __getattr__(self, name: str) -> object:
            return getattr(self.capture, name)

    genuine = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Inexact)
    clip = Clip.open(video)
    for index in (80, 5, 71, 10, 89, 0):
        assert np.array_equal(clip.frame(index), reference[index])
    assert seeks


def test_frames_are_lazy_and_numbered(video: Path, reference: list[Image]) -> None:
    clip = Clip.open(video)
    iterator = clip.frames(70, 73)
    assert next(iterator)[0] == 70
    assert np.array_equal(clip.frame(3), reference[3])  # reading elsewhere meanwhile does no harm
    rest = list(iterator)
    assert [index for index, _ in rest] == [71, 72]
    assert np.array_equal(rest[-1][1], reference[72])
    assert len(list(clip.frames())) == FRAMES


def test_a_frame_cannot_be_changed_by_who_gets_it(video: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        Clip.open(video).frame(0)[:] = 0


@pytest.mark.parametrize("index", [-1, FRAMES])
def test_a_frame_outside_the_clip_is_an_error(video: Path, index: int) -> None:
    with pytest.raises(InputError, match=f"0…{FRAMES - 1}"):
        Clip.open(video).frame(index)


def test_a_cut_video_is_the_clip_that_decodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = write_video(tmp_path / "whole.avi", "MJPG")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with caplog.at_level(logging.WARNING):
        clip = Clip.open(cut)
    frames = decoded_in_order(cut)
    assert clip.info.frame_count == len(frames) < FRAMES
    assert np.array_equal(clip.frame(len(frames) - 1), frames[-1])
    assert f"decodes {len(frames)} of the {FRAMES} frames" in caplog.text


@pytest.mark.parametrize(
    "content",
    [b"", b"not a video at all\n" * 50, b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 400],
    ids=["empty", "text", "header only"],
)
def test_what_is_no_video_is_refused_with_advice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match="check that the file is complete, or convert it"):
        Clip.open(path)


def test_nothing_at_the_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        Clip.open(tmp_path / "nowhere.mp4")


def test_images_come_in_natural_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (10, 9, 100, 1):
        cv2.imwrite(str(tmp_path / f"shot {number}.png"), picture(number))
    (tmp_path / "notes.txt").write_text("not an image")
    clip = Clip.open(tmp_path)
    assert [int(clip.frame(i)[0, 0, 0]) - 40 for i in range(4)] == [1, 9, 10, 100]
    assert clip.info.frame_rate == 25
    assert "nothing says the frame rate" in caplog.text
    assert Clip.open(tmp_path, frame_rate=7).info.frame_rate == 7


def test_images_of_differing_size_are_an_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), picture(1))
    cv2.imwrite(str(tmp_path / "2.png"), picture(2, width=80))
    clip = Clip.open(tmp_path, frame_rate=5)
    with pytest.raises(VideoError, match="frame 1 is 80×64 px, the first is 96×64"):
        clip.frame(1)


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_an_image_that_does_not_decode_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.png").write_bytes(content)
    with pytest.raises(VideoError, match=r"1\.png \(frame 0\): does not decode"):
        Clip.open(tmp_path, frame_rate=5)


def test_a_folder_without_frames_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="neither a video nor an image"):
        Clip.open(tmp_path)


@pytest.mark.parametrize("kind", ["video", "images"])
def test_a_sequence_folder_takes_rate_from_seqinfo_and_name_from_the_folder(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "SEQ-01"
    (folder / "img1").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=other\nframeRate=14\nseqLength=5\nimWidth=1\nimHeight=1\nimExt=.jpg\n"
    )
    if kind == "video":
        write_video(folder / "video.mp4", "mp4v", count=4)
    else:
        for number in range(4):
            cv2.imwrite(str(folder / "img1" / f"{number + 1:06d}.jpg"), picture(number))
    info = Clip.open(folder).info
    assert (info.name, info.frame_count, info.frame_rate, info.width, info.height) == ("SEQ-01", 4, 14, 96, 64)
    assert "seqinfo.ini says 5 frames, 4 are there" in caplog.text

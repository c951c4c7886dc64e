"""Digests change with what candidates depend on, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from spam_model.detectors import digests
from spam_model.detectors.digests import clip_digest, model_digest, settings_digest
from spam_model.errors import InputError


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 5):
        write(tmp_path / "seq" / "img1" / f"{number}.png", bytes([number]) * 300)
    write(tmp_path / "seq" / "seqinfo.ini", b"[Sequence]")
    write(tmp_path / "seq" / "gt" / "gt.txt", b"1,1")
    return tmp_path / "seq"


def test_a_copy_has_the_digest_of_the_original(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    os.utime(copy / "img1" / "1.png", (5, 5))
    write(copy / "gt" / "gt.txt", b"other truth, which no detector sees")
    assert clip_digest(copy) == clip_digest(folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("img1/2.png", b"\x02" * 299 + b"\x03"),
        ("img1/2.png", b"\x02" * 301),
        ("img1/5.png", b"\x05" * 300),
        ("seqinfo.ini", b"[sequence]"),
        ("video.mp4", b"a video goes before images"),
    ],
)
def test_any_change_of_what_is_seen_changes_it(folder: Path, name: str, data: bytes) -> None:
    before = clip_digest(folder)
    write(folder / name, data)
    assert clip_digest(folder) != before


def test_a_large_clip_is_sampled_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "WHOLE_BYTES", 10_000)
    monkeypatch.setattr(digests, "SAMPLE_BYTES", 16)
    data = bytearray(100_000)
    video = write(tmp_path / "large.mp4", data)
    whole = clip_digest(video)
    for place in (0, 50_000 // 63 * 63, 99_999):
        step = (100_000 - 16) / 63
        near = int(round(place / step) * step)
        changed = bytearray(data)
        changed[near : near + 16] = b"\x01" * 16
        assert clip_digest(write(tmp_path / "large.mp4", changed)) != whole
    assert clip_digest(write(tmp_path / "large.mp4", bytes(100_001))) != whole


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        clip_digest(tmp_path / "missing.mp4")


def test_a_model_is_its_name_and_the_content_of_its_file(tmp_path: Path) -> None:
    one = write(tmp_path / "one.pth", b"weights")
    same = write(tmp_path / "same.pth", b"weights")
    other = write(tmp_path / "other.pth", b"weight5")
    specs = [
        f"yolox-s:{one}",
        f"yolox-s:{same}",
        f"yolox-s:{other}",
        f"yolox-m:{one}",
        "yolox-s",
        f"joint:yolox-s:{one}",
    ]
    found = [model_digest(spec) for spec in specs]
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_weights_beside_an_openvino_model_count(tmp_path: Path) -> None:
    model = write(tmp_path / "reid.xml", b"<net/>")
    write(tmp_path / "reid.bin", b"1")
    before = model_digest(f"openvino:{model}")
    write(tmp_path / "reid.bin", b"2")
    assert model_digest(f"openvino:{model}") != before


def test_settings_count_in_whatever_order() -> None:
    assert settings_digest({"a": 1, "b": None}) == settings_digest({"b": None, "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 1.5})

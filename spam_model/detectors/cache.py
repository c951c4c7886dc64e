"""Candidates that were found once: kept by what they depend on, so that a killed run goes on and a repeat is instant.

One folder for each digest of clip, models and settings below ``~/.cache/cvat-spam/candidates`` holds ``clip.json`` and
one file for each chunk of frames, each written whole or not at all. What is damaged is found anew. Where the cache
cannot be written (a full disk) this is said once, and the run goes on without. The longest unused folders go when
all of them together grow beyond ``MAX_BYTES``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spam_model.detectors.fetch import cache_folder
from spam_model.errors import FormatError, InputError
from spam_model.storage import candidates_from_bytes, candidates_to_bytes, pack, unpack, write_atomically
from spam_model.values import Candidates, ClipInfo
from spam_model.values.candidates import FloatArray

MAX_BYTES = 4 * 2**30
_INFO = TypeAdapter(ClipInfo)
_LOG = logging.getLogger(__name__)


class CandidateCache:
    """A ``ChunkStore`` on disk, of one clip under one setting."""

    def __init__(self, digest: str, root: Path | None = None) -> None:
        """
        Args:
            digest: of all that the candidates depend on.
            root: of all folders; by default in the user's cache.
        """
        self._root = root or cache_folder() / "candidates"
        self._folder = self._root / digest
        self._writes = True
        _prune(self._root, self._folder, MAX_BYTES)

    def get(self, first: int, stop: int) -> Candidates | None:
        """The candidates of frames first … stop - 1, None where they are not there, or damaged."""
        path = self._chunk(first, stop)
        try:
            return candidates_from_bytes(path.read_bytes())
        except OSError:
            return None
        except FormatError as error:
            _LOG.warning("%s is damaged and not used: %s", path, error)
            return None

    def put(self, first: int, stop: int, candidates: Candidates) -> None:
        self._write(self._chunk(first, stop), candidates_to_bytes(candidates))

    def frames_kept(self) -> int:
        """How many frames there are chunks of."""
        bounds = [path.stem.split("-") for path in self._folder.glob("*-*.safetensors")]
        return sum(int(stop) - int(first) for first, stop in bounds)

    @property
    def info(self) -> ClipInfo | None:
        """The clip as it was when it was first opened: spares decoding it to count its frames."""
        try:
            return _INFO.validate_json((self._folder / "clip.json").read_bytes())
        except (OSError, ValidationError, FormatError):
            return None

    @info.setter
    def info(self, info: ClipInfo) -> None:
        self._write(self._folder / "clip.json", _INFO.dump_json(info))

    @property
    def camera(self) -> FloatArray | None:
        """[F, 2] px, see ``Candidates.camera``."""
        try:
            arrays, _ = unpack("camera", (self._folder / "camera.safetensors").read_bytes())
        except (OSError, FormatError):
            return None
        return arrays.get("path")

    @camera.setter
    def camera(self, path: FloatArray) -> None:
        self._write(self._folder / "camera.safetensors", pack("camera", {"path": path}, {}))

    def _chunk(self, first: int, stop: int) -> Path:
        return self._folder / f"{first:08d}-{stop:08d}.safetensors"

    def _write(self, path: Path, data: bytes) -> None:
        if not self._writes:
            return
        try:
            write_atomically(path, data)
        except InputError as error:
            self._writes = False
            _LOG.warning("%s; going on without the cache (--no-cache leaves it out)", error)


def _prune(root: Path, used: Path, most: int) -> None:
    """Marks ``used`` as used now, and removes the longest unused folders until ``most`` bytes are left at most."""
    with contextlib.suppress(OSError):  # another process may do the same, or have no right to
        if used.is_dir():
            os.utime(used)
        folders = sorted((path for path in root.iterdir() if path != used), key=lambda path: path.stat().st_mtime)
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
        excess = sum(sizes) - most
        for folder, size in zip(folders, sizes, strict=True):
            if excess > 0:
                shutil.rmtree(folder, ignore_errors=True)
                excess -= size

"""What candidates depend on, as SHA-256: the pixels of a clip, the weights behind a name, the settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import spam_model
from spam_model.data.image_reader import image_files
from spam_model.data.motchallenge import find_sequence
from spam_model.errors import InputError

WHOLE_BYTES = 64 * 2**20  # of a clip; of a larger one samples are read
SAMPLES = 64
SAMPLE_BYTES = 2**16
_SHIPPED = Path(spam_model.__file__).parent / "weights"


def clip_digest(path: Path) -> str:
    """Of a video file, or of the video or images of a folder with its seqinfo.ini; the same wherever it lies.

    Files of ``WHOLE_BYTES`` in all are read whole, of larger ones their sizes and ``SAMPLES`` parts spread over them.

    Raises:
        InputError: a file cannot be read.
    """
    files = _media(path)
    digest = hashlib.sha256()
    try:
        sizes = [file.stat().st_size for file in files]
        digest.update(json.dumps([(file.name, size) for file, size in zip(files, sizes, strict=True)]).encode())
        samples = None if sum(sizes) <= WHOLE_BYTES else -(-SAMPLES // len(files))
        for file, size in zip(files, sizes, strict=True):
            _add_file(digest, file, size, samples)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    return digest.hexdigest()


def model_digest(spec: str) -> str:
    """Of a ``--detector`` or ``--appearance``: its name, the file that it names, and the weights that are shipped.

    Weights that are fetched have pinned checksums: their name and our version say which they are.
    """
    name, _, path = spec.rpartition(":")
    files = [file for file in (Path(path), Path(path).with_suffix(".bin")) if file.is_file()] if name else []
    digest = hashlib.sha256(f"{spam_model.__version__} {name if files else spec}".encode())
    for file in [*files, *sorted(_SHIPPED.glob("*.safetensors"))]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def settings_digest(settings: Mapping[str, object]) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _media(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    sequence = find_sequence(path)
    media = [sequence.video] if sequence.video is not None else image_files(sequence.images or path)
    return media + ([sequence.info_file] if sequence.info_file is not None else [])


def _add_file(digest: hashlib._Hash, path: Path, size: int, samples: int | None) -> None:
    with path.open("rb") as file:
        if samples is None or size <= samples * SAMPLE_BYTES:
            digest.update(file.read())
            return
        for number in range(samples):
            file.seek((size - SAMPLE_BYTES) * number // max(samples - 1, 1))
            digest.update(file.read(SAMPLE_BYTES))

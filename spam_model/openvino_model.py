"""Models in OpenVINO's format (Intel's Open Model Zoo has many): a ``.xml`` with its ``.bin``. Needs the extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spam_model.errors import FormatError, InputError


def read_openvino(path: Path) -> tuple[Any, Any]:
    """The module ``openvino``, and the model of ``path`` as it reads it.

    Raises:
        InputError: openvino is not installed, or a file is missing.
        FormatError: OpenVINO cannot read the model.
    """
    try:
        import openvino
    except ImportError as error:
        raise InputError("openvino is not installed; pip install 'cvat-spam[openvino]'") from error
    for file in (path, path.with_suffix(".bin")):
        if not file.is_file():
            raise InputError(f"{file}: no such file; give the .xml of an OpenVINO model, with its .bin beside it")
    try:
        return openvino, openvino.Core().read_model(path)
    except RuntimeError as error:
        raise FormatError(f"{path}: not a model that OpenVINO can load ({error})") from error

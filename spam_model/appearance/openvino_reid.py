"""Person re-identification models in OpenVINO's format, as those of Intel's Open Model Zoo.

``person-reidentification-retail-0286``, ``-0287`` and ``-0288`` take one person's crop, 256×128 px BGR 0 … 255, and
give 256 numbers that are compared by cosine. Any model of one image in and one vector out will do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spam_model.appearance.crops import Crops, cut_crops
from spam_model.data.clip import Image
from spam_model.errors import FormatError
from spam_model.openvino_model import read_openvino
from spam_model.values.candidates import FloatArray


class OpenVinoReid:
    """Embeddings on the CPU, in float32. Needs the extra ``openvino``."""

    device = "cpu"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads a model.

        Args:
            path: its ``.xml``; the ``.bin`` lies beside it.
            threads: how many to use; as many as there are cores by default.

        Raises:
            InputError: there is no such file, or openvino is not installed.
            FormatError: the file is no model of one image in and one vector out.
        """
        openvino, network = read_openvino(path)
        self.name = f"openvino:{path.name}"
        self.size, self.dimension = _shapes(path, network)
        network.reshape([1, 3, *self.size])
        taken = openvino.preprocess.PrePostProcessor(network)
        taken.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        taken.input().model().set_layout(openvino.Layout("NCHW"))
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        compiled = openvino.Core().compile_model(taken.build(), "CPU", settings)
        self._queue = openvino.AsyncInferQueue(compiled)  # one crop a core: faster than larger batches on all of them

    def embed(self, image: Image, boxes: FloatArray) -> NDArray[np.float32]:
        """Image [H, W, 3] uint8 BGR, boxes [n, 4] x1 y1 x2 y2 in px -> [n, D] float32, L2-normalised."""
        return self.embed_crops(cut_crops(image, boxes, self.size))

    def embed_crops(self, crops: Crops) -> NDArray[np.float32]:
        """Crops [n, H, W, 3] uint8 BGR -> [n, D] float32, L2-normalised."""
        vectors = np.zeros((len(crops), self.dimension), np.float32)

        def keep(request: Any, row: int) -> None:
            vectors[row] = request.get_output_tensor().data.reshape(-1)

        self._queue.set_callback(keep)
        for row in range(len(crops)):
            self._queue.start_async(crops[row : row + 1], row)
        self._queue.wait_all()
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norm, np.finfo(np.float32).tiny), np.float32)


def _shapes(path: Path, network: Any) -> tuple[tuple[int, int], int]:
    """Height and width of the crop, and the length of the vector."""
    taken = [port.partial_shape for port in network.inputs]
    given = [port.partial_shape for port in network.outputs]
    if len(taken) == 1 and len(given) == 1 and taken[0].is_static and given[0].is_static:
        _, channels, *sides = taken[0].to_shape() if len(taken[0]) == 4 else (0, 0)
        dimensions = [length for length in given[0].to_shape()[1:] if length != 1]
        if channels == 3 and len(dimensions) == 1:
            return (int(sides[0]), int(sides[1])), int(dimensions[0])
    raise FormatError(
        f"{path}: takes {taken} and gives {given}; a re-identification model takes one [1, 3, H, W] and gives [1, D]"
    )

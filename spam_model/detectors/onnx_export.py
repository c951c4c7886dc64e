"""Torch networks run by ONNX Runtime, which needs 40 to 80 % of torch's time for a detector on a CPU.

Exported by torch's tracer: its newer exporter needs a further package and takes twenty times as long. No file is made;
exporting takes a second, and every export is run beside the network before it is used.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from spam_model.errors import SpamError

BATCH_AND_SIZE = (0, 2, 3)
_INPUT = "input"
_OPSET = 17
_TOLERANCE = 1e-3  # of the largest value of an output, or of 1 where that is more


class OnnxNetwork:
    """A network of one input and any number of outputs, as many threads as torch uses.

    Called as the network is, without gradients; always returns a tuple.
    """

    def __init__(self, module: nn.Module, example: Tensor, free_axes: Sequence[int] = BATCH_AND_SIZE) -> None:
        """Exports ``module``, as ``export_onnx`` does.

        Raises:
            SpamError: ONNX Runtime gives other numbers than torch.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        model = export_onnx(module, example, free_axes)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        return _run(self._session, batch)


@torch.no_grad()
def export_onnx(module: nn.Module, example: Tensor, free_axes: Sequence[int] = BATCH_AND_SIZE) -> bytes:
    """An ONNX model with the input ``input`` and the outputs ``output0``, ``output1``, …

    Args:
        module: on the CPU and in evaluation; takes a tensor, returns a tensor or a tuple of tensors.
        example: an input. It should be small, for it is run a few times, and noise, for the outputs are compared.
        free_axes: those of the input that may have any length; they are tried at twice the example's.

    Raises:
        SpamError: ONNX Runtime gives other numbers than torch.
    """
    outputs = _as_tuple(module(example))
    axes = {_INPUT: list(free_axes)} | {f"output{i}": list(range(part.ndim)) for i, part in enumerate(outputs)}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that it may fix: that is checked below
        torch.onnx.export(
            module,
            (example,),
            buffer,  # type: ignore[arg-type]  # the stub knows paths only
            dynamo=False,
            opset_version=_OPSET,
            input_names=[_INPUT],
            output_names=list(axes)[1:],
            dynamic_axes=axes,
        )
    model = buffer.getvalue()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    larger = example
    for axis in free_axes:
        larger = torch.cat([larger, larger.flip(axis)], dim=axis)
    for batch in (example, larger):
        for place, (given, wanted) in enumerate(zip(_run(session, batch), _as_tuple(module(batch)), strict=True)):
            tolerance = _TOLERANCE * max(1.0, wanted.abs().max().item())
            if given.shape != wanted.shape or not torch.allclose(given, wanted, rtol=0, atol=tolerance):
                raise SpamError(
                    f"the exported network's output {place} differs from torch's by more than {tolerance:g}; install "
                    "the versions of torch, onnx and onnxruntime that constraints.txt names, and report those here"
                )
    return model


def _as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else outputs


def _run(session: onnxruntime.InferenceSession, batch: Tensor) -> tuple[Tensor, ...]:
    arrays = session.run(None, {_INPUT: np.ascontiguousarray(batch.numpy())})
    return tuple(torch.from_numpy(array) for array in arrays)

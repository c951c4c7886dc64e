"""From candidates and people's answers to labels: the one entry to the SPAM model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from spam_model.device import resolve_device
from spam_model.graph.constraints import resolve
from spam_model.graph.hierarchy import run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.postprocess import PostprocessSettings, finish
from spam_model.values import Candidates, Constraints, LabelResult

NO_CONSTRAINTS = Constraints()


class Labeler:
    """The graph hierarchy with its weights, on one device. Deterministic; keeps no state between calls."""

    def __init__(self, model: SpamModel, device: torch.device, settings: PostprocessSettings | None = None) -> None:
        self._model = model.to(device)
        self._settings = settings or PostprocessSettings()

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Labeler:
        """Loads ``weights`` (safetensors), by default the ones that are shipped.

        Raises:
            FormatError: the file is not what ``spam-model train`` writes.
            DeviceError: the device is not there.
        """
        return cls(SpamModel.load(weights or SHIPPED_WEIGHTS), resolve_device(device))

    @property
    def version(self) -> str:
        """12 hexadecimal digits of the weights and their configuration."""
        return self._model.version

    def label(
        self, candidates: Candidates, constraints: Constraints = NO_CONSTRAINTS, progress: bool = False
    ) -> LabelResult:
        """Runs node level and association levels under the constraints, then fills gaps and smooths.

        Args:
            candidates: of one clip, any length, any score threshold.
            constraints: all the answers so far; their order has no influence.
            progress: show a progress bar on stderr.
        """
        resolved = resolve(candidates, constraints)
        candidates = replace(candidates, box=resolved.box)
        hierarchy = run_hierarchy(self._model, candidates, resolved, progress=progress)
        labels = finish(candidates, hierarchy, resolved.in_force, self._settings)
        return LabelResult(candidates, hierarchy, labels, resolved.conflicts, resolved.unmatched)

"""From candidates and people's answers to labels: the one entry to the SPAM model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from spam_model.device import resolve_device
from spam_model.graph.constraints import resolve, with_drawn_boxes
from spam_model.graph.hierarchy import run_hierarchy
from spam_model.graph.model import SHIPPED_WEIGHTS, SpamModel
from spam_model.graph.scene import Scene
from spam_model.graph.settle import settle
from spam_model.postprocess import PostprocessSettings, finish
from spam_model.values import Candidates, Constraints, Hierarchy, LabelResult

NO_CONSTRAINTS = Constraints()


@dataclass(frozen=True)
class Unanswered:
    """A clip as the model sees it before anybody has answered."""

    scene: Scene
    hierarchy: Hierarchy


class Labeler:
    """The graph hierarchy with its weights, on one device. Deterministic; keeps no state between calls."""

    def __init__(self, model: SpamModel, device: torch.device, settings: PostprocessSettings | None = None) -> None:
        self._model = model.to(device)
        self._settings = settings or PostprocessSettings()

    @classmethod
    def load(
        cls, weights: Path | None = None, device: str = "auto", settings: PostprocessSettings | None = None
    ) -> Labeler:
        """Loads ``weights`` (safetensors), by default the ones that are shipped.

        Raises:
            FormatError: the file is not what ``spam-model train`` writes.
            DeviceError: the device is not there.
        """
        return cls(SpamModel.load(weights or SHIPPED_WEIGHTS), resolve_device(device), settings)

    @property
    def version(self) -> str:
        """12 hexadecimal digits of the weights and their configuration."""
        return self._model.version

    def unanswered(self, candidates: Candidates, progress: bool = False) -> Unanswered:
        """The graph hierarchy without people's answers: what takes the time, and never changes with them."""
        scene = Scene.of(candidates)
        return Unanswered(scene, run_hierarchy(self._model, candidates, scene, progress))

    def label(
        self,
        candidates: Candidates,
        constraints: Constraints = NO_CONSTRAINTS,
        progress: bool = False,
        base: Unanswered | None = None,
    ) -> LabelResult:
        """Runs node level and association levels under the constraints, then fills gaps and smooths.

        Args:
            candidates: of one clip, any length, any score threshold.
            constraints: all the answers so far; their order has no influence.
            progress: show a progress bar on stderr.
            base: what ``unanswered`` gave for these candidates, to spare it.
        """
        given, base = candidates, base or self.unanswered(candidates, progress)
        candidates = with_drawn_boxes(given, constraints)
        resolved = resolve(candidates, constraints)
        candidates = replace(candidates, box=resolved.box)
        hierarchy = base.hierarchy
        if len(constraints):
            unanswered = hierarchy.at_rows(candidates.rows_of(given.id), len(candidates))
            hierarchy = settle(self._model, Scene.of(candidates, base.scene), unanswered, resolved)
        labels = finish(candidates, hierarchy, resolved.in_force, self._settings)
        return LabelResult(candidates, hierarchy, labels, resolved.conflicts, resolved.unmatched)

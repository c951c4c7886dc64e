"""The SPAM model as one unit: both networks, the statistics of their inputs, the temperatures; its file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spam_model.errors import FormatError, InputError
from spam_model.graph import node_level
from spam_model.graph.features import EDGE_FEATURES, MOTION_FEATURES, NODE_FEATURES
from spam_model.graph.network import AssociationNetwork, NetworkConfig, NodeNetwork
from spam_model.storage import pack, unpack, write_atomically
from spam_model.values.candidates import BoolArray, FloatArray, IntArray

SHIPPED_WEIGHTS = Path(__file__).parent.parent / "weights" / "spam.safetensors"
LEVELS = 9
_KIND = "weights"


STRONG_PERCENTILE = 90


@dataclass(frozen=True)
class Decision:
    """How the node level decides what is kept.

    The detector's score decides, unless ``learned``. In simulation the learned probability is better (precision 0.90
    against 0.81 at recall 0.95). On real video it is not where the detector is strong: at recall 0.95 it had 0.90
    against 0.93 on MOT17-05 and 0.81 against 0.84 on MOT17-11. With weak detectors it had 0.86 against 0.85 and 0.79
    against 0.63 (TUD-Campus, YOLOX-nano and retail-0013), but keeping by it gave no better tracks there either.

    Attributes:
        learned: by the calibrated probability, else by the score.
        threshold: least probability, or least score as a share of the clip's strong scores (90th percentile), since
            every detector has a scale of its own. On ``tune/`` anything from 0.4 to 0.5 serves about as well.
    """

    learned: bool = False
    threshold: float = 0.45

    def keeps(self, score: FloatArray, probability: FloatArray) -> BoolArray:
        """Which candidates of a clip enter the association. [N], [N] -> [N]."""
        if self.learned or len(score) == 0:
            return np.asarray(probability >= self.threshold)
        return np.asarray(score >= self.threshold * np.percentile(score, STRONG_PERCENTILE))

    def in_words(self) -> str:
        if self.learned:
            return f"keeps a candidate of learned probability {self.threshold:g} or more"
        return f"keeps a candidate of {self.threshold:.0%} or more of the clip's strong scores; the score decides"


class SpamModel(nn.Module):
    """Both networks. ``temperature`` holds one per level, the node level's first."""

    temperature: Tensor

    def __init__(self, steps: int = 6, node_steps: int = 4, decision: Decision = Decision()) -> None:
        super().__init__()
        self.decision = decision
        self.node = NodeNetwork(
            NetworkConfig(len(node_level.NODE_INPUTS), len(node_level.EDGE_INPUTS), steps=node_steps, levels=0)
        )
        self.association = AssociationNetwork(
            NetworkConfig(len(NODE_FEATURES), len(EDGE_FEATURES), len(MOTION_FEATURES), steps, LEVELS)
        )
        self.register_buffer("temperature", torch.ones(LEVELS + 1))
        self.scales = nn.ModuleDict(
            {
                "candidate": Standardise(len(node_level.NODE_INPUTS)),
                "candidate_edge": Standardise(len(node_level.EDGE_INPUTS)),
                "tracklet": Standardise(len(NODE_FEATURES)),
                "tracklet_edge": Standardise(len(EDGE_FEATURES)),
            }
        )

    @property
    def device(self) -> torch.device:
        return self.temperature.device

    def node_logits(self, node: FloatArray, edge_feature: FloatArray, edge: IntArray) -> Tensor:
        """[steps - 1, N] from raw features of the node level."""
        logits: Tensor = self.node(
            self.scales["candidate"](self._tensor(node)),
            self.scales["candidate_edge"](self._tensor(edge_feature)),
            self._tensor(edge),
        )
        return logits

    def edge_logits(
        self, node: FloatArray, edge_feature: FloatArray, edge: IntArray, level: int, motion: FloatArray | None = None
    ) -> Tensor:
        """[steps - 1, E] from raw features of an association level."""
        logits: Tensor = self.association(
            self.scales["tracklet"](self._tensor(node)),
            self.scales["tracklet_edge"](self._tensor(edge_feature)),
            self._tensor(edge),
            level,
            None if motion is None else self._tensor(motion),
        )
        return logits

    def calibrate(self, logit: Tensor, level: int) -> FloatArray:
        """Sigmoid at the level's temperature; 0 is the node level. [K] -> [K] float64."""
        temperature = self.temperature[min(level, LEVELS)]
        return np.asarray(torch.sigmoid(logit.double() / temperature.double()).cpu().numpy())

    @property
    def version(self) -> str:
        """12 hexadecimal digits of weights and configuration."""
        digest = hashlib.sha256(json.dumps(self._config(), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def save(self, path: Path, about: dict[str, object] | None = None) -> None:
        """Writes safetensors; configuration and ``about`` (data, seed, figures) as JSON in its metadata."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        metadata = {"config": json.dumps(self._config()), "about": json.dumps(about or {})}
        write_atomically(path, pack(_KIND, arrays, metadata))

    @classmethod
    def load(cls, path: Path) -> SpamModel:
        """Reads what ``save`` wrote; on the CPU, in evaluation mode.

        Raises:
            InputError: there is no such file.
            FormatError: not weights of this model, or of other shapes.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"no weights at {path}: {error.strerror}; train some with: spam-model train") from error
        try:
            arrays, metadata = unpack(_KIND, data)
        except FormatError as error:
            raise FormatError(f"{path}: {error}; fetch or train the weights anew") from error
        try:
            config = json.loads(metadata["config"])
            model = cls(int(config["steps"]), int(config["node_steps"]), Decision(**config["decision"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: the configuration of the weights does not read ({error!r})") from error
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        found = {name: array.shape for name, array in arrays.items()}
        if expected != found:
            wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            raise FormatError(f"{path}: weights of another model, they differ in {', '.join(wrong[:5])}; train anew")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise FormatError(f"{path}: weights that are not numbers; train anew")
        model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
        return model.eval()

    def _config(self) -> dict[str, object]:
        return {
            "steps": self.association.config.steps,
            "node_steps": self.node.config.steps,
            "decision": asdict(self.decision),
        }

    def _tensor(self, array: FloatArray | IntArray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


class Standardise(nn.Module):
    """(x − mean) / std, clipped to ±5, by statistics of the training data."""

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, rows: FloatArray) -> None:
        """[K, width] raw features."""
        self.mean.copy_(torch.from_numpy(rows.mean(axis=0)))
        self.std.copy_(torch.from_numpy(np.maximum(rows.std(axis=0), 1e-3)))

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.std).clamp(-5.0, 5.0)

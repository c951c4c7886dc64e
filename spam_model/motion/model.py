"""The motion model: one projection of the detector's feature maps, and SiamMOT's two ways to use it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spam_model.detectors.feature_maps import FeatureMaps
from spam_model.errors import FormatError
from spam_model.motion.emm import ExplicitMotion
from spam_model.motion.imm import ImplicitMotion
from spam_model.storage import pack, read_bytes, unpack, write_atomically

SHIPPED_WEIGHTS = Path(__file__).parent.parent / "weights" / "motion.safetensors"
CHANNELS = 32
_KIND = "motion weights"


@dataclass(frozen=True)
class Backbone:
    """Whose feature maps: the detector's name, its strides in px and its channels, the finest level first."""

    name: str
    strides: tuple[int, ...]
    channels: tuple[int, ...]


class MotionModel(nn.Module):
    """Projections, EMM and IMM for the feature maps of one detector."""

    def __init__(self, backbone: Backbone, channels: int = CHANNELS) -> None:
        super().__init__()
        self.backbone = backbone
        self.projections = nn.ModuleList(nn.Conv2d(width, channels, 1, bias=False) for width in backbone.channels)
        self.explicit = ExplicitMotion(channels)
        self.implicit = ImplicitMotion(channels)

    @property
    def channels(self) -> int:
        return self.explicit.heads.in_channels

    def project(self, maps: FeatureMaps) -> FeatureMaps:
        """The maps on few channels: all that the motion model needs of a frame.

        Raises:
            FormatError: they are not those of the detector that the model was trained with.
        """
        wanted = (self.backbone.strides, self.backbone.channels)
        found = (maps.strides, tuple(int(each.shape[1]) for each in maps.maps))
        if found != wanted:
            raise FormatError(
                f"the motion model was trained on {self.backbone.name} (strides and channels {wanted}), these feature "
                f"maps have {found}; use that detector, or train a motion model with: spam-model train-motion"
            )
        projected = tuple(layer(each) for layer, each in zip(self.projections, maps.maps, strict=True))
        return replace(maps, maps=projected)

    def save(self, path: Path, about: dict[str, object] | None = None) -> None:
        """Half-precision safetensors with the configuration.

        Raises:
            InputError: the file cannot be written.
        """
        arrays = {name: tensor.detach().cpu().numpy().astype(np.float16) for name, tensor in self.state_dict().items()}
        config = {
            "backbone": self.backbone.name,
            "strides": self.backbone.strides,
            "widths": self.backbone.channels,
            "channels": self.channels,
        }
        write_atomically(path, pack(_KIND, arrays, {"config": json.dumps(config), "about": json.dumps(about or {})}))

    @classmethod
    def load(cls, path: Path = SHIPPED_WEIGHTS, device: torch.device | str = "cpu") -> MotionModel:
        """Reads what ``save`` wrote, in evaluation mode.

        Raises:
            InputError: there is no such file.
            FormatError: not weights of a motion model, or of other shapes; the message names them.
        """
        try:
            arrays, metadata = unpack(_KIND, read_bytes(path))
            config = json.loads(metadata["config"])
            backbone = Backbone(config["backbone"], tuple(config["strides"]), tuple(config["widths"]))
            model = cls(backbone, int(config["channels"]))
        except FormatError as error:
            raise FormatError(f"{path}: {error}; train anew with: spam-model train-motion") from error
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: the configuration of the weights does not read ({error!r})") from error
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        found = {name: array.shape for name, array in arrays.items()}
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        if wrong:
            raise FormatError(f"{path}: weights of another model, they differ in {', '.join(wrong[:5])}; train anew")
        model.load_state_dict({name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()})
        return model.to(device).eval()


def normalise(features: Tensor) -> Tensor:
    """Each cell's features at length 1, [n, C, s, s]; cells outside the image stay 0."""
    return functional.normalize(features, dim=1, eps=1e-4)

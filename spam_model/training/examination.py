"""What a training run came to: temperatures fitted, calibration and node level measured, all on clips held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from spam_model.graph.model import SpamModel
from spam_model.training.calibration import Calibration, calibrate, held_out_logits
from spam_model.training.dataset import Stream, TrainingClip
from spam_model.training.loop import Run
from spam_model.training.node_check import NodeCheck, check_nodes
from spam_model.training.sources import Simulated

FITTING_CLIPS = 40
REPORTING_CLIPS = 80
HELD_OUT_SEED = 1_000_003  # added to the seed, so that held-out clips are never trained on


@dataclass(frozen=True)
class Examination:
    """``nodes``: the node level against the detector's score."""

    run: Run
    calibration: Calibration
    nodes: tuple[NodeCheck, ...]

    @property
    def model(self) -> SpamModel:
        return self.run.model

    def about(self) -> dict[str, object]:
        """What is stored beside the weights."""
        return {
            "data": self.run.data,
            "seed": self.run.seed,
            "minutes": self.run.schedule.minutes,
            "steps": self.run.steps,
            "calibration": asdict(self.calibration),
            "nodes": [asdict(row) for row in self.nodes],
            "license": "Apache-2.0",
        }


def examine(run: Run) -> Examination:
    """Sets the temperatures of ``run.model``; simulated clips, some to fit on and others to report on."""
    clips: Iterator[TrainingClip] = iter(Stream(Simulated(), run.seed + HELD_OUT_SEED).in_background())
    to_fit = held_out_logits(run.model, islice(clips, FITTING_CLIPS))
    reporting = list(islice(clips, REPORTING_CLIPS))
    to_report = held_out_logits(run.model, reporting)
    calibration = calibrate(run.model, to_fit, to_report)
    score = np.concatenate([clip.scene.score for clip in reporting])
    return Examination(run, calibration, check_nodes(score, *to_report[0]))

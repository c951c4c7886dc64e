"""What goes beside the weights: a card that says what they are, and the curves of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spam_model.storage import write_atomically
from spam_model.training.loop import TrainingResult

_SMOOTHING = 50  # steps

CARD = """# Weights of the SPAM graph hierarchy

Licence: Apache-2.0. Version `{version}`.
Trained on simulated crowds only: no video, no human label, no weights of others.

| | |
| --- | --- |
| made by | `spam-model train --minutes {minutes:g} --seed {seed}` |
| steps | {steps}, each on one clip never seen before |
| parameters | {node_parameters} (node level), {edge_parameters} (association levels) |
| input | candidate boxes with scores; appearance embeddings of any kind, or none |
| node level | {decision} |

## Node level

Precision of the candidates kept at equal recall, on held-out simulated clips. `spam_model.graph.model.Decision` says
what was found on real video, and which of the two therefore decides.

| recall | detector's score | learned |
| --- | --- | --- |
{nodes}

## Calibration

Expected calibration error (15 bins) on held-out simulated clips, before and after the temperature.

| level | decisions | temperature | ECE before | ECE after | focal loss at the end |
| --- | --- | --- | --- | --- | --- |
{levels}

The temperatures are fitted on the clips that the error is measured on (one number per level). On real video the error
is larger. Levels that saw fewer than 50 decisions have the temperature of the level before.
"""


def write_card(result: TrainingResult, path: Path) -> None:
    """Markdown: data, command, size, calibration."""
    levels = zip(_level_names(len(result.calibration)), result.calibration, _last(result), strict=True)
    rows = [
        f"| {name} | {c.count} | {c.temperature:.2f} | {c.error_before:.3f} | {c.error_after:.3f} | {end} |"
        for name, c, end in levels
    ]
    text = CARD.format(
        version=result.model.version,
        minutes=result.minutes,
        seed=result.seed,
        steps=result.steps,
        node_parameters=sum(p.numel() for p in result.model.node.parameters()),
        edge_parameters=sum(p.numel() for p in result.model.association.parameters()),
        decision=result.model.decision.in_words(),
        nodes="\n".join(f"| {n.recall:g} | {n.by_score:.3f} | {n.learned:.3f} |" for n in result.nodes),
        levels="\n".join(rows),
    )
    write_atomically(path, text.encode())


def write_curves(result: TrainingResult, path: Path) -> None:
    """The loss of every level over the steps, smoothed, as PNG."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, losses in zip(_level_names(result.losses.shape[1]), result.losses.T, strict=True):
        steps = np.flatnonzero(np.isfinite(losses))
        if len(steps):
            width = min(_SMOOTHING, len(steps))
            smooth = np.convolve(losses[steps], np.full(width, 1 / width), mode="valid")
            axes.plot(steps[width - 1 :], smooth, label=name, linewidth=1)
    axes.set(xlabel="step", ylabel="focal loss", yscale="log", title="Training on simulated clips")
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)


def _level_names(count: int) -> list[str]:
    return ["nodes", *(f"{2**level} frames" for level in range(1, count))]


def _last(result: TrainingResult) -> list[str]:
    """Mean loss of each level over the last tenth of the steps."""
    tail = result.losses[-max(1, len(result.losses) // 10) :]
    columns = [column[np.isfinite(column)] for column in tail.T]
    return [f"{column.mean():.3f}" if len(column) else "–" for column in columns]

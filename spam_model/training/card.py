"""What goes beside the weights: a card that says what they are, and the curves of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spam_model.evaluation.calibration import FEWEST_IN_DOUBT
from spam_model.storage import write_atomically
from spam_model.training.calibration import FEWEST
from spam_model.training.examination import FITTING_CLIPS, REPORTING_CLIPS, Examination
from spam_model.training.loop import Run
from spam_model.training.sources import Simulated
from spam_model.values.candidates import FloatArray

_SMOOTHING = 50  # steps

CARD = """# Weights of the SPAM graph hierarchy

Licence: Apache-2.0. Version `{version}`.
{origin}

| | |
| --- | --- |
| made by | `{command}` |
| data | {data} |
| steps | {steps}, each on clips never seen before |
| parameters | {node_parameters} (node level), {edge_parameters} (association levels) |
| input | candidate boxes with scores; appearance embeddings of any kind, or none |
| node level | {decision} |

## Node level

Precision of the candidates kept at equal recall, on held-out simulated clips. `spam_model.graph.model.Decision` says
what was found on real video, and which of the two therefore decides.

| recall | detector's score | learned |
| --- | --- | --- |
{nodes}

## Levels

The temperatures are fitted on {fitting} held-out simulated clips, one number per level. Levels that saw fewer than
{fewest} decisions have the temperature of the level before.

| level | decisions fitted on | temperature | focal loss at the end |
| --- | --- | --- | --- |
{levels}

## Calibration

Expected calibration error (15 bins) on {reporting} other held-out simulated clips; in doubt: 0.05 < p < 0.95. Levels
with under {fewest_in_doubt} decisions in doubt are pooled. By chance: the error of as many decisions with perfect
probabilities. On real video the error is larger.

| level | decisions | ECE before the temperature | ECE | in doubt | ECE of those | by chance |
| --- | --- | --- | --- | --- | --- | --- |
{calibration}
"""


def write_card(examined: Examination, command: str, path: Path) -> None:
    """Markdown: data, command, size, calibration."""
    run, calibration = examined.run, examined.calibration
    names = _level_names(len(calibration.temperature))
    levels = zip(names, calibration.fitted_on, calibration.temperature, _last(run), strict=True)
    rows = [
        f"| {', '.join(names[level] for level in row.levels)} | {row.count} | {before:.3f} | {row.error:.3f} "
        f"| {row.doubtful_count} | {row.doubtful_error:.3f} | {row.doubtful_by_chance:.3f} |"
        for row, before in zip(calibration.rows, calibration.before, strict=True)
    ]
    text = CARD.format(
        version=run.model.version,
        origin=_origin(run),
        command=command,
        data=run.data,
        steps=run.steps,
        node_parameters=sum(p.numel() for p in run.model.node.parameters()),
        edge_parameters=sum(p.numel() for p in run.model.association.parameters()),
        decision=run.model.decision.in_words(),
        nodes="\n".join(f"| {n.recall:g} | {n.by_score:.3f} | {n.learned:.3f} |" for n in examined.nodes),
        fitting=FITTING_CLIPS,
        fewest=FEWEST,
        levels="\n".join(f"| {name} | {count} | {t:.2f} | {end} |" for name, count, t, end in levels),
        reporting=REPORTING_CLIPS,
        fewest_in_doubt=FEWEST_IN_DOUBT,
        calibration="\n".join(rows),
    )
    write_atomically(path, text.encode())


def write_curves(losses: FloatArray, title: str, path: Path) -> None:
    """The loss of every level over the steps, smoothed, as PNG.

    Args:
        losses: [S, 1 + levels], NaN where a level had none.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, level in zip(_level_names(losses.shape[1]), losses.T, strict=True):
        steps = np.flatnonzero(np.isfinite(level))
        if len(steps):
            width = min(_SMOOTHING, len(steps))
            smooth = np.convolve(level[steps], np.full(width, 1 / width), mode="valid")
            axes.plot(steps[width - 1 :], smooth, label=name, linewidth=1)
    axes.set(xlabel="step", ylabel="focal loss", yscale="log", title=title)
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)


def _origin(run: Run) -> str:
    if run.data == Simulated().name:
        return "Trained on simulated crowds only: no video, no human label, no weights of others."
    return f"Trained on {run.data}: where that data was labelled by people, these weights are not annotation-free."


def _level_names(count: int) -> list[str]:
    return ["nodes", *(f"{2**level} frames" for level in range(1, count))]


def _last(run: Run) -> list[str]:
    """Mean loss of each level over the last tenth of the steps."""
    tail = run.losses[-max(1, len(run.losses) // 10) :]
    columns = [column[np.isfinite(column)] for column in tail.T]
    return [f"{column.mean():.3f}" if len(column) else "–" for column in columns]

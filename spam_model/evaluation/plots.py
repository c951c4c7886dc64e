"""Pictures of the benchmarks, where people would rather look than read a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spam_model.evaluation.calibration import BINS, Decisions, in_doubt
from spam_model.evaluation.contest import MEAN, ContestRow
from spam_model.evaluation.effort_summary import Point, Setting, curve
from spam_model.evaluation.node_quality import NodeQuality

_PANEL = (4.2, 3.4)  # inches
_COLUMNS = 3
_FEWEST = 10  # decisions of a bin, below which its share says nothing


def contest_plot(rows: Sequence[ContestRow], path: Path) -> None:
    """HOTA as bars, a group for each sequence, with the standard deviation over seeds."""
    places = list(dict.fromkeys(row.sequence for row in rows))
    names = list(dict.fromkeys(row.contender for row in rows))
    figure = Figure(figsize=(2.5 + 1.3 * len(places), 4.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        found = {row.sequence: row for row in rows if row.contender == name}
        at = np.arange(len(places)) + (index - (len(names) - 1) / 2) * width
        height = [found[place].scores["HOTA"] for place in places]
        spread = [found[place].spread["HOTA"] for place in places]
        bars = axes.bar(at, height, width, yerr=spread if any(spread) else None, label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=6, rotation=90, padding=2)
    lowest = min(row.scores["HOTA"] for row in rows)
    axes.set(ylabel="HOTA %", ylim=(max(0.0, lowest - 15), None), xticks=np.arange(len(places)), xticklabels=places)
    axes.tick_params(axis="x", labelrotation=20)
    figure.legend(*axes.get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=120)


def effort_plot(points: Sequence[Point], zero: Mapping[str, float], bounds: Mapping[str, float], path: Path) -> None:
    """HOTA over effort: a panel for each sequence and one for the mean, a line for each setting."""
    sequences = list(dict.fromkeys(point.sequence for point in points))
    settings = list(dict.fromkeys(point.setting for point in points))
    bounds = dict(bounds) | {MEAN: float(np.mean(list(bounds.values())))}
    figure, panels = _panels(len(sequences))
    for axes, sequence in zip(panels, sequences, strict=True):
        for setting in settings:
            mine = (point for point in points if (point.sequence, point.setting) == (sequence, setting))
            effort, hota = curve(mine, zero[sequence])
            axes.plot(100 * np.array(effort), hota, marker="o", markersize=3, label=_named(setting, settings))
        axes.axhline(bounds[sequence], color="grey", linestyle="--", linewidth=1, label="perfect choice, no drawn box")
        axes.set(title=sequence, xlabel="effort %", ylabel="HOTA %")
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(left=0)
        ticks = [tick for tick in (0, 0.5, 1, 2, 3.3, 5, 10, 20, 50, 100) if tick <= axes.get_xlim()[1]]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    _save(figure, panels, path)


def node_plot(found: Sequence[NodeQuality], path: Path) -> None:
    """Precision over recall of what is kept, by score and by learned probability, a panel for each sequence."""
    figure, panels = _panels(len(found))
    for axes, quality in zip(panels, found, strict=True):
        for name, of in (("detector's score", quality.by_score), ("learned node level", quality.learned)):
            axes.plot(100 * of.recall, 100 * of.precision, label=name)
        axes.set(title=quality.sequence, xlabel="recall %", ylabel="precision %", xlim=(70, 100))
        axes.grid(alpha=0.3)
    _save(figure, panels, path)


def reliability_plot(found: Mapping[str, Mapping[int, Decisions]], path: Path) -> None:
    """Share that is true over the mean probability of each bin: a panel for each level, a line for each source.

    The size of a dot grows with the number of decisions in its bin, ten at least; the white part is what is in doubt.
    """
    levels = sorted({level for of_source in found.values() for level, (p, _) in of_source.items() if in_doubt(p).any()})
    figure, panels = _panels(max(len(levels), 1))
    for axes, level in zip(panels, levels, strict=False):
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        axes.axvspan(0.0, 0.05, color="grey", alpha=0.15)
        axes.axvspan(0.95, 1.0, color="grey", alpha=0.15)
        for source, of_source in found.items():
            probability, truth = of_source.get(level, (np.zeros(0), np.zeros(0, bool)))
            bin_of = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
            count = np.bincount(bin_of, minlength=BINS)
            full = count >= _FEWEST
            mean_p, mean_t = (
                np.bincount(bin_of, weights=v, minlength=BINS)[full] / count[full] for v in (probability, truth)
            )
            axes.plot(mean_p, mean_t, linewidth=1, label=source)
            axes.scatter(mean_p, mean_t, s=4 + 6 * np.log10(count[full]))
        axes.set(title="nodes" if level == 0 else f"clips of {2**level} frames", xlabel="probability", ylabel="true")
        axes.set(xlim=(0, 1), ylim=(0, 1))
    _save(figure, panels, path)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * rows + 0.5), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, index + 1) for index in range(count)]


def _save(figure: Figure, panels: Sequence[Axes], path: Path) -> None:
    """With one legend for all panels, as many columns wide as they are."""
    columns = min(len(panels), _COLUMNS)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=columns)
    figure.savefig(path, dpi=120)


def _named(setting: Setting, among: Sequence[Setting]) -> str:
    """The strategy, and what tells its settings apart."""
    parts = [setting.strategy]
    if len({other.rounds for other in among}) > 1:
        parts.append(f"{setting.rounds} rounds")
    if len({other.error_rate for other in among}) > 1:
        parts.append(f"{setting.error_rate:.0%} errors")
    return ", ".join(parts)

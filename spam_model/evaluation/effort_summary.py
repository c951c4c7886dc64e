"""What effort rows add up to: the gap closed, means over sequences, and the clicks that a given quality takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from spam_model.evaluation.contest import MEAN, mean_scores
from spam_model.evaluation.effort import EffortRow


class Setting(NamedTuple):
    """What a curve is drawn for."""

    strategy: str
    rounds: int
    error_rate: float


@dataclass(frozen=True)
class Point:
    """Labels at the end of a run, of one sequence or ``MEAN`` over all.

    ``gap_closed`` is (HOTA − HOTA without a click) / (HOTA of the perfect choice − HOTA without a click), above 1 where
    drawn boxes beat the candidates; None where the perfect choice is no better than no click.
    """

    sequence: str
    setting: Setting
    budget: float
    clicks: float
    effort: float
    scores: dict[str, float]
    gap_closed: float | None

    def as_dict(self) -> dict[str, object]:
        return {"sequence": self.sequence, **self.setting._asdict()} | {
            name: value for name, value in asdict(self).items() if name not in ("sequence", "setting")
        }


@dataclass(frozen=True)
class Reached:
    """Where a curve first has the HOTA of another: its effort, and the share of the other's clicks; None if nowhere."""

    sequence: str
    setting: Setting
    hota: float
    effort: float | None
    share: float | None

    def as_dict(self) -> dict[str, object]:
        return {
            "sequence": self.sequence,
            **self.setting._asdict(),
            "hota": self.hota,
            "effort": self.effort,
            "share": self.share,
        }


def gap_closed(hota: float, zero: float, bound: float) -> float | None:
    return (hota - zero) / (bound - zero) if bound > zero else None


def setting_of(row: EffortRow) -> Setting:
    return Setting(row.strategy, row.rounds, row.error_rate)


def points(rows: Sequence[EffortRow], bounds: Mapping[str, float]) -> list[Point]:
    """The last row of every run, and the mean over the sequences of each setting and budget, where there are several.

    Args:
        bounds: HOTA of the perfect choice, by sequence.
    """
    zero = {row.sequence: row.scores.hota for row in reversed(rows) if row.round == 0}
    last = {(row.sequence, setting_of(row), row.budget): row for row in rows}  # rows of a run are in order
    result = [
        Point(
            sequence,
            setting,
            budget,
            row.clicks,
            row.effort,
            row.scores.as_dict(),
            gap_closed(row.scores.hota, zero[sequence], bounds[sequence]),
        )
        for (sequence, setting, budget), row in last.items()
    ]
    sequences = list(zero)
    if len(sequences) < 2:
        return result
    mean_zero, mean_bound = (float(np.mean([of[name] for name in sequences])) for of in (zero, bounds))
    for setting, budget in dict.fromkeys((point.setting, point.budget) for point in result):
        group = [point for point in result if (point.setting, point.budget) == (setting, budget)]
        scores = mean_scores([point.scores for point in group])
        clicks, effort = (float(np.mean(values)) for values in zip(*((p.clicks, p.effort) for p in group), strict=True))
        gap = gap_closed(scores["HOTA"], mean_zero, mean_bound)
        result.append(Point(MEAN, setting, budget, clicks, effort, scores, gap))
    return result


def curve(of: Iterable[Point], zero: float) -> tuple[list[float], list[float]]:
    """Effort and HOTA in the order of the effort, from 0 on."""
    ordered = sorted({(0.0, zero), *((point.effort, point.scores["HOTA"]) for point in of)})
    return [effort for effort, _ in ordered], [hota for _, hota in ordered]


def zero_click(rows: Sequence[EffortRow]) -> dict[str, float]:
    """HOTA without a click by sequence, and their mean."""
    zero = {row.sequence: row.scores.hota for row in rows if row.round == 0}
    return zero | {MEAN: float(np.mean(list(zero.values())))}


def clicks_to_reach(
    all_points: Sequence[Point], zero: Mapping[str, float], against: str, budget: float
) -> list[Reached]:
    """Effort at which each curve first has the HOTA that ``against`` has at ``budget``.

    Curves are straight between points, and are compared with those of the same rounds and the same error rate.
    """
    result = []
    for sequence in dict.fromkeys(point.sequence for point in all_points):
        mine = [point for point in all_points if point.sequence == sequence]
        for target in (p for p in mine if p.setting.strategy == against and p.budget == budget):
            for setting in dict.fromkeys(point.setting for point in mine):
                if setting[1:] != target.setting[1:]:
                    continue
                effort, hota = curve((p for p in mine if p.setting == setting), zero[sequence])
                reached = first_crossing(effort, hota, target.scores["HOTA"])
                share = reached / target.effort if reached is not None and target.effort > 0 else None
                result.append(Reached(sequence, setting, target.scores["HOTA"], reached, share))
    return result


def first_crossing(x: Sequence[float], y: Sequence[float], level: float) -> float | None:
    """Where the line through the points first is at ``level`` or above; None where it never is."""
    if y[0] >= level:
        return x[0]
    for i in range(1, len(x)):
        if y[i] >= level:
            return float(x[i - 1] + (x[i] - x[i - 1]) * (level - y[i - 1]) / (y[i] - y[i - 1]))
    return None

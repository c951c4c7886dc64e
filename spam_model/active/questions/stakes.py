"""What a label error costs, in boxes: the weights by which questions about different things are compared.

From the derivative of ln HOTA = ½ (ln DetA + ln AssA) (Luiten et al., IJCV 2021), in units of what one false box costs:

* DetA = TP / (TP + FN + FP): a false box costs 1, a missed one 1 / DetA;
* AssA = mean of A(c) over the true positives: joining two parts of a and b boxes of one object, or parting two objects,
  gains Σ ΔA = 2ab / (a + b), the harmonic mean, at 1 / (DetA · AssA) each.

DetA = AssA = 0.7 are put in, roughly what zero-click labels have, so that the order of questions hangs on no estimate.
"""

from __future__ import annotations

MISSED_BOX = 1 / 0.7
ASSOCIATION = 1 / (0.7 * 0.7)


def false_boxes(count: float) -> float:
    return count


def missed_track(count: float) -> float:
    return MISSED_BOX * count


def parts(first: float, second: float) -> float:
    """Of two parts that are joined wrongly, or apart wrongly."""
    return ASSOCIATION * 2 * first * second / (first + second) if first and second else 0.0


def missed_part(count: float, rest: float) -> float:
    """Of boxes that a track of ``rest`` boxes lacks."""
    return missed_track(count) + parts(count, rest)


def false_part(count: float, rest: float) -> float:
    """Of boxes in a track of ``rest`` others that show something else."""
    return false_boxes(count) + parts(count, rest)

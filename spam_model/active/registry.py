"""Every acquisition strategy by name.

Our own, the paper's (``spam``), and the baselines of the paper's Fig. 5, all over the same calibrated probabilities and
the same questions. The paper names its baselines "detection scheme/association scheme": a pair of any two names, such
as ``box-entropy/random``, takes the box questions of the first and the link questions of the second.

| name | needs besides a result |
| --- | --- |
| ``ensemble`` | the weights of two or more other models, trained with other seeds (``StrategySettings.ensemble``) |
| ``consistency`` | the labelling model's own weights (``StrategySettings.weights``), by default the shipped ones |
| all others | nothing |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spam_model.active.baselines.consistency import Consistency
from spam_model.active.baselines.coreset import Coreset
from spam_model.active.baselines.ensemble import Ensemble
from spam_model.active.baselines.entropy import BoxEntropy, ImageEntropy
from spam_model.active.baselines.pair import Pair
from spam_model.active.baselines.random_questions import RandomQuestions
from spam_model.active.baselines.rescoring import opinion_of
from spam_model.active.hierarchical_entropy import DEFAULT_SPLIT, SPLITS, BudgetSplit, HierarchicalEntropy
from spam_model.active.strategies import Strategy
from spam_model.active.track_review import TrackReview
from spam_model.errors import InputError


@dataclass(frozen=True)
class StrategySettings:
    """What some strategies need.

    Attributes:
        seed: of those that draw at random.
        weights: of the labelling model; None for the shipped ones.
        ensemble: weights of the models that the labelling model is compared with, two at least.
        device: ``auto``, ``cpu`` or ``cuda``, for strategies that run models.
        split: how ``spam`` splits the budget over the levels, a name in ``SPLITS``.
    """

    seed: int = 0
    weights: Path | None = None
    ensemble: tuple[Path, ...] = ()
    device: str = "auto"
    split: str = DEFAULT_SPLIT


def _ensemble(settings: StrategySettings) -> Ensemble:
    return Ensemble([opinion_of(weights, settings.device) for weights in settings.ensemble])


def _consistency(settings: StrategySettings) -> Consistency:
    return Consistency(opinion_of(settings.weights, settings.device), settings.seed)


STRATEGIES: dict[str, Callable[[StrategySettings], Strategy]] = {
    TrackReview.name: lambda _: TrackReview(),
    HierarchicalEntropy.name: lambda settings: HierarchicalEntropy(_split(settings.split)),
    RandomQuestions.name: lambda settings: RandomQuestions(settings.seed),
    ImageEntropy.name: lambda _: ImageEntropy(),
    BoxEntropy.name: lambda _: BoxEntropy(),
    Coreset.name: lambda _: Coreset(),
    Ensemble.name: _ensemble,
    Consistency.name: _consistency,
}
DEFAULT_STRATEGY = TrackReview.name


def create_strategy(name: str, settings: StrategySettings = StrategySettings()) -> Strategy:
    """The strategy of this name, or the pair ``NAME/NAME``.

    Raises:
        InputError: no strategy or split of this name, or the models that it needs are not given or not there.
    """
    detection, slash, association = name.partition("/")
    if slash:
        return Pair(create_strategy(detection, settings), create_strategy(association, settings))
    if name not in STRATEGIES:
        raise InputError(f"no strategy is called {name!r}; there are: {', '.join(STRATEGIES)}")
    return STRATEGIES[name](settings)


def _split(name: str) -> BudgetSplit:
    if name not in SPLITS:
        raise InputError(f"no budget split is called {name!r}; there are: {', '.join(SPLITS)}")
    return SPLITS[name]

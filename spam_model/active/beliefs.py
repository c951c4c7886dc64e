"""How far an answer is believed: people err, and a wrong answer costs more than a right one gains.

With the chances P(c) of each choice before anybody was asked (``Query.error_probability``) and votes a₁, a₂, …:

    P(c | a₁, a₂, …) ∝ P(c) · Π L(aᵢ | c),   L(a | c) = 1 − ε if a = c, else ε / (choices − 1)

An answer that agrees with the labels is believed at once. One that contradicts what the model was sure of is asked
again, and is put into force once the votes make it sure enough; after the last round, once it is likelier than not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spam_model.values import OPTION_LETTERS, Query, QueryKind
from spam_model.values.candidates import FloatArray

ERROR_RATE = 0.05  # ε, of people's choices
BELIEVED = 0.95


def believed_choice(query: Query, votes: Sequence[str], threshold: float = BELIEVED) -> str | None:
    """The choice that the votes make at least this probable; None if none is, or nobody was sure.

    What no model has an opinion about (no ``topic``) and rectangles are believed as they are said.
    """
    said = [vote for vote in votes if vote != "unsure"]
    if not said:
        return None
    if query.topic is None or query.kind is QueryKind.LOCALIZATION:
        return said[0]
    choices = query.choices[:-1]
    posterior = np.log(_prior(query, choices))
    slip = ERROR_RATE / (len(choices) - 1)
    for vote in said:
        posterior += np.log([1 - ERROR_RATE if choice == vote else slip for choice in choices])
    posterior = np.exp(posterior - posterior.max())
    posterior /= posterior.sum()
    best = int(np.argmax(posterior))
    return choices[best] if posterior[best] >= threshold and choices[best] in said else None


def _prior(query: Query, choices: Sequence[str]) -> FloatArray:
    """[K]: 1 − p for what the labels say; p is shared by the others, options by their own chances where known."""
    p = float(np.clip(query.error_probability, 0.005, 0.995))
    weight = np.ones(len(choices))
    for place, choice in enumerate(choices):
        if query.option_probability and choice in OPTION_LETTERS:
            weight[place] = max(query.option_probability[OPTION_LETTERS.index(choice)], 1e-3)
    weight[choices.index(query.expected)] = 0.0
    weight *= p / weight.sum()
    weight[choices.index(query.expected)] = 1 - p
    return weight

"""The graph's formulas once more, plainly: every pair is formed and then pruned, one clip at a time, in loops.

The oracle of correctness for the fast code in ``spam_model.graph``, written from its formulas and not from its code. It
serves clips of up to 512 frames without people's answers; nothing in here is meant to be fast.
"""

from tests.spam_model.graph.reference.hierarchy import PlainLevel, PlainResult, label_plainly

__all__ = ["PlainLevel", "PlainResult", "label_plainly"]

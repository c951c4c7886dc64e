"""Question cards: the pictures that reviewers answer in CVAT, each by one digit key."""

from cvat_bridge.cards.compose import compose_card
from cvat_bridge.cards.names import CardName, card_file_name, parse_card_file_name
from cvat_bridge.cards.values import Card, CardContext, LinearMap

__all__ = [
    "Card",
    "CardContext",
    "CardName",
    "LinearMap",
    "card_file_name",
    "compose_card",
    "parse_card_file_name",
]

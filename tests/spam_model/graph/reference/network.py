"""Message passing in plain matrices, node by node, with the weights of a model."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from spam_model.graph.model import SpamModel
from tests.spam_model.graph.reference.edges import Edge

Weights = dict[str, np.ndarray]


def weights_of(model: SpamModel) -> Weights:
    return {name: tensor.cpu().numpy().astype(np.float64) for name, tensor in model.state_dict().items()}


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def two_layers(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return linear(weights, f"{name}.2", np.maximum(linear(weights, f"{name}.0", x), 0))


def standardised(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return np.clip((x - weights[f"scales.{name}.mean"]) / weights[f"scales.{name}.std"], -5, 5)


def message_steps(weights: Weights, name: str, h: np.ndarray, e: np.ndarray, edges: list[Edge], steps: int):  # type: ignore[no-untyped-def]
    """h [V, 32] and e [E, 16] after ``steps`` steps; the equations of ``spam_model.graph.network``."""
    first = e
    for _ in range(steps):
        new_e = np.zeros_like(e)
        for k, (i, j) in enumerate(edges):
            both = np.concatenate([h[i], h[j], first[k], e[k]])
            new_e[k] = np.maximum(two_layers(weights, f"{name}.step.edge_update", both), 0)
        e = new_e
        from_past, from_future = np.zeros_like(h), np.zeros_like(h)
        for k, (i, j) in enumerate(edges):
            message = two_layers(weights, f"{name}.step.past_message", np.concatenate([h[i], e[k]]))
            from_past[j] += np.maximum(message, 0)
            message = two_layers(weights, f"{name}.step.future_message", np.concatenate([h[j], e[k]]))
            from_future[i] += np.maximum(message, 0)
        received = np.concatenate([from_past, from_future], axis=1)
        h = np.maximum(linear(weights, f"{name}.step.node_update", received) + h, 0)
    return h, e


def probability(weights: Weights, logit: np.ndarray, level: int) -> list[float]:
    temperature = weights["temperature"]
    return expit(logit / temperature[min(level, len(temperature) - 1)]).tolist()


def edge_probability(
    weights: Weights, steps: int, node: np.ndarray, edge: np.ndarray, motion: np.ndarray, edges: list[Edge], level: int
) -> list[float]:
    """Of an association level, from raw features [V, F_v] and [E, F_e], and what motion was seen, [E, F_m]."""
    levels = weights["association.level.weight"]
    node, edge = standardised(weights, "tracklet", node), standardised(weights, "tracklet_edge", edge)
    h = np.maximum(two_layers(weights, "association.node_encoder", node), 0)
    e = two_layers(weights, "association.edge_encoder", edge) + levels[min(level, len(levels)) - 1]
    for k in range(len(edges)):
        if motion[k].any():
            e[k] += two_layers(weights, "association.motion_encoder", motion[k])
    h, e = message_steps(weights, "association", h, np.maximum(e, 0), edges, steps)
    return probability(weights, two_layers(weights, "association.classifier", e)[:, 0], level)


def node_probability(
    weights: Weights, steps: int, node: np.ndarray, edge: np.ndarray, edges: list[Edge]
) -> list[float]:
    """Of the node level, from raw features."""
    node, edge = standardised(weights, "candidate", node), standardised(weights, "candidate_edge", edge)
    h = np.maximum(two_layers(weights, "node.node_encoder", node), 0)
    e = np.maximum(two_layers(weights, "node.edge_encoder", edge), 0)
    h, e = message_steps(weights, "node", h, e, edges, steps)
    return probability(weights, two_layers(weights, "node.classifier", h)[:, 0], 0)

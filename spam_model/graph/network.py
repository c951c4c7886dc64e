"""The SPAM networks: message passing over association hypotheses, and over candidates in their surroundings.

One step, for an edge (i, j) with i in the past (Sec. 3.2 of the SPAM paper; separate past and future messages as in
Brasó & Leal-Taixé, "Learning a Neural Solver for Multiple Object Tracking", CVPR 2020):

    e_ij ← f_e([h_i, h_j, e⁰_ij, e_ij])
    h_v  ← f_v([Σ_{i before v} f_past([h_i, e_iv]),  Σ_{j after v} f_future([h_j, e_vj])])

The initial state is attached at every step, which keeps many steps from washing out the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

EDGE, NODE = 16, 32  # state widths
CPU_BLOCK = 4096  # edges


@dataclass(frozen=True)
class NetworkConfig:
    """``levels``: embeddings of the association levels, the last also serves those above."""

    node_inputs: int
    edge_inputs: int
    motion_inputs: int = 0
    steps: int = 6
    levels: int = 9


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MessagePassing(nn.Module):
    """One step of edge and node updates; the same weights at every step.

    A first layer is linear in what it is given side by side, W [h_i, h_j, …] = W_1 h_i + W_2 h_j + …, so what comes
    from a node is computed once for the node and not for each of its edges. And edges are taken in blocks, so that on
    a CPU what lies between the layers stays in the cache.
    """

    def __init__(self) -> None:
        super().__init__()
        self.edge_update = mlp(2 * NODE + 2 * EDGE, 80, EDGE)
        self.past_message = mlp(NODE + EDGE, 56, NODE)
        self.future_message = mlp(NODE + EDGE, 56, NODE)
        self.node_update = nn.Linear(2 * NODE, NODE)

    def forward(self, h: Tensor, e: Tensor, e0: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Args: h [V, 32], e and e0 [E, 16], edge [2, E]. Returns the new h and e."""
        e = self.update_edges(h, e, e0, edge)
        return self.update_nodes(h, e, edge), e

    def update_edges(self, h: Tensor, e: Tensor, e0: Tensor, edge: Tensor) -> Tensor:
        """The new e, [E, 16]."""
        first, last = _layers(self.edge_update)
        of_past, of_future, of_start, of_state = torch.split(first.weight, [NODE, NODE, EDGE, EDGE], dim=1)
        past_term, future_term = h @ of_past.T, functional.linear(h, of_future, first.bias)  # [V, 80]
        blocks = []
        for (past, future), start, state in _blocks(edge, e0, e):
            hidden = past_term.index_select(0, past).add_(future_term.index_select(0, future))  # [B, 80]
            hidden.addmm_(start, of_start.T).addmm_(state, of_state.T).relu_()
            blocks.append(last(hidden).relu_())
        return torch.cat(blocks)

    def update_nodes(self, h: Tensor, e: Tensor, edge: Tensor) -> Tensor:
        """The new h, [V, 32].

        A GPU adds in any order, so there the sums are in double precision: rounded back, they are the same in every
        run. A CPU adds in the order of the edges.
        """
        precision = h.dtype if h.device.type == "cpu" else torch.float64
        received = []
        for sender, message in enumerate((self.past_message, self.future_message)):
            first, last = _layers(message)
            of_node, of_edge = torch.split(first.weight, [NODE, EDGE], dim=1)
            node_term = functional.linear(h, of_node, first.bias)  # [V, 56]
            total = torch.zeros(len(h), NODE, dtype=precision, device=h.device)
            for ends, state in _blocks(edge, e):
                hidden = node_term.index_select(0, ends[sender]).addmm_(state, of_edge.T).relu_()  # [B, 56]
                total.index_add_(0, ends[1 - sender], last(hidden).relu_().to(precision))
            received.append(total.to(h.dtype))
        return torch.relu(self.node_update(torch.cat(received, dim=1)) + h)


def _layers(perceptron: nn.Sequential) -> tuple[nn.Linear, nn.Linear]:
    """First and second layer of an ``mlp`` of two."""
    first, _, last = perceptron
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return first, last


def _blocks(edge: Tensor, *state: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The edges [2, E] and their states [E, C], block after block of edges; an empty block where there is none."""
    length = CPU_BLOCK if edge.device.type == "cpu" else max(edge.shape[1], 1)
    return zip(torch.split(edge, length, dim=1), *(torch.split(each, length) for each in state), strict=True)


class AssociationNetwork(nn.Module):
    """Scores the edges of an association level. One set of weights for all levels, told apart by an embedding."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.edge_encoder = mlp(config.edge_inputs, 32, EDGE)
        self.node_encoder = mlp(config.node_inputs, 32, NODE)
        self.level = nn.Embedding(config.levels, EDGE)
        self.step = MessagePassing()
        self.classifier = mlp(EDGE, 8, 1)
        self.motion_encoder = mlp(config.motion_inputs, EDGE, EDGE)

    def forward(
        self, node: Tensor, edge_feature: Tensor, edge: Tensor, level: int, motion: Tensor | None = None
    ) -> Tensor:
        """Logits after every step from the second on, the last is the decision.

        Args:
            node: [V, F_v] standardised node features.
            edge_feature: [E, F_e] standardised edge features.
            edge: [2, E] past and future node.
            level: 1 for the first association level.
            motion: [E, F_m] what a motion model saw, rows of zeros for the edges that it did not look at; adds to
                their initial state. None where none was asked.

        Returns:
            [steps - 1, E].
        """
        index = torch.tensor(min(level, self.config.levels) - 1, device=node.device)
        h = torch.relu(self.node_encoder(node))  # [V, 32]
        start = self.edge_encoder(edge_feature) + self.level(index)  # [E, 16]
        if motion is not None:
            seen = torch.nonzero(motion.any(dim=1)).squeeze(1)
            start = start.index_add(0, seen, self.motion_encoder(motion[seen]))
        e0 = torch.relu(start)
        e = e0
        logits = []
        for step in range(self.config.steps):
            if step > 0:
                h = self.step.update_nodes(h, e, edge)
            e = self.step.update_edges(h, e, e0, edge)
            if step > 0:
                logits.append(self.classifier(e).squeeze(1))
        return torch.stack(logits)


class NodeNetwork(nn.Module):
    """GNN_node of the SPAM paper: scores candidates from their neighbours in time and in their own frame."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.edge_encoder = mlp(config.edge_inputs, 32, EDGE)
        self.node_encoder = mlp(config.node_inputs, 32, NODE)
        self.step = MessagePassing()
        self.classifier = mlp(NODE, 16, 1)

    def forward(self, node: Tensor, edge_feature: Tensor, edge: Tensor) -> Tensor:
        """Logits of every candidate after every step from the second on. [steps - 1, N]; arguments as above."""
        h = torch.relu(self.node_encoder(node))
        e0 = torch.relu(self.edge_encoder(edge_feature))
        e = e0
        logits = []
        for step in range(self.config.steps):
            h, e = self.step(h, e, e0, edge)
            if step > 0:
                logits.append(self.classifier(h).squeeze(1))
        return torch.stack(logits)

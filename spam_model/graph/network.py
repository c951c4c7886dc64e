"""The SPAM networks: message passing over association hypotheses, and over candidates in their surroundings.

One step, for an edge (i, j) with i in the past (Sec. 3.2 of the SPAM paper; separate past and future messages as in
Brasó & Leal-Taixé, "Learning a Neural Solver for Multiple Object Tracking", CVPR 2020):

    e_ij ← f_e([h_i, h_j, e⁰_ij, e_ij])
    h_v  ← f_v([Σ_{i before v} f_past([h_i, e_iv]),  Σ_{j after v} f_future([h_j, e_vj])])

The initial state is attached at every step, which keeps many steps from washing out the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

EDGE, NODE = 16, 32  # state widths


@dataclass(frozen=True)
class NetworkConfig:
    """``levels``: embeddings of the association levels, the last also serves those above."""

    node_inputs: int
    edge_inputs: int
    steps: int = 6
    levels: int = 9


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def sum_at(node: Tensor, message: Tensor, count: int) -> Tensor:
    """Sums the messages [E, C] of each node [E] -> [count, C].

    In double precision, because a GPU adds in any order: rounded back, the sum is the same in every run.
    """
    total = torch.zeros(count, message.shape[1], dtype=torch.float64, device=message.device)
    return total.index_add(0, node, message.double()).to(message.dtype)


class MessagePassing(nn.Module):
    """One step of edge and node updates; the same weights at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.edge_update = mlp(2 * NODE + 2 * EDGE, 80, EDGE)
        self.past_message = mlp(NODE + EDGE, 56, NODE)
        self.future_message = mlp(NODE + EDGE, 56, NODE)
        self.node_update = nn.Linear(2 * NODE, NODE)

    def forward(self, h: Tensor, e: Tensor, e0: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Args: h [V, 32], e and e0 [E, 16], edge [2, E]. Returns the new h and e."""
        past, future = edge
        e = torch.relu(self.edge_update(torch.cat([h[past], h[future], e0, e], dim=1)))  # [E, 16]
        from_past = self.past_message(torch.cat([h[past], e], dim=1)).relu()  # [E, 32]
        from_future = self.future_message(torch.cat([h[future], e], dim=1)).relu()  # [E, 32]
        received = torch.cat([sum_at(future, from_past, len(h)), sum_at(past, from_future, len(h))], dim=1)  # [V, 64]
        return torch.relu(self.node_update(received) + h), e


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

    def forward(self, node: Tensor, edge_feature: Tensor, edge: Tensor, level: int) -> Tensor:
        """Logits after every step from the second on, the last is the decision.

        Args:
            node: [V, F_v] standardised node features.
            edge_feature: [E, F_e] standardised edge features.
            edge: [2, E] past and future node.
            level: 1 for the first association level.

        Returns:
            [steps - 1, E].
        """
        index = torch.tensor(min(level, self.config.levels) - 1, device=node.device)
        h = torch.relu(self.node_encoder(node))  # [V, 32]
        e0 = torch.relu(self.edge_encoder(edge_feature) + self.level(index))  # [E, 16]
        e = e0
        logits = []
        for step in range(self.config.steps):
            h, e = self.step(h, e, e0, edge)
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

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spam_model.graph.network import AssociationNetwork, NetworkConfig, NodeNetwork

CONFIG = NetworkConfig(node_inputs=5, edge_inputs=7, motion_inputs=3)
Graph = tuple[Tensor, Tensor, Tensor]


def graph(nodes: int, edges: int, seed: int) -> Graph:
    generator = torch.Generator().manual_seed(seed)
    edge = torch.randint(0, max(nodes, 1), (2, edges), generator=generator)
    return torch.randn(nodes, 5, generator=generator), torch.randn(edges, 7, generator=generator), edge


def side_by_side(first: Graph, second: Graph) -> Graph:
    return (
        torch.cat([first[0], second[0]]),
        torch.cat([first[1], second[1]]),
        torch.cat([first[2], second[2] + len(first[0])], dim=1),
    )


@pytest.fixture
def network() -> AssociationNetwork:
    torch.manual_seed(0)
    return AssociationNetwork(CONFIG).eval()


@pytest.mark.parametrize(("nodes", "edges"), [(6, 10), (3, 0), (0, 0)])
def test_a_batch_is_as_its_graphs_one_by_one(network: AssociationNetwork, nodes: int, edges: int) -> None:
    first, second = graph(nodes, edges, 1), graph(8, 12, 2)
    together = network(*side_by_side(first, second), level=3)
    apart = torch.cat([network(*first, level=3), network(*second, level=3)], dim=1)
    assert torch.allclose(together, apart, atol=1e-6)


def test_candidates_of_a_batch_are_as_one_by_one() -> None:
    torch.manual_seed(0)
    network = NodeNetwork(CONFIG)
    first, second = graph(6, 10, 1), graph(8, 0, 2)
    assert torch.allclose(
        network(*side_by_side(first, second)), torch.cat([network(*first), network(*second)], dim=1), atol=1e-6
    )


def test_the_order_of_nodes_and_edges_means_nothing(network: AssociationNetwork) -> None:
    node, feature, edge = graph(9, 20, 3)
    nodes, edges = torch.randperm(9), torch.randperm(20)
    place = torch.argsort(nodes)
    shuffled = network(node[nodes], feature[edges], place[edge[:, edges]], level=1)
    assert torch.allclose(shuffled, network(node, feature, edge, level=1)[:, edges], atol=1e-5)


def test_what_was_not_seen_moves_nothing(network: AssociationNetwork) -> None:
    unseen = torch.zeros(20, 3)
    assert torch.equal(network(*graph(9, 20, 3), level=2), network(*graph(9, 20, 3), level=2, motion=unseen))


def test_what_was_seen_of_an_edge_moves_it(network: AssociationNetwork) -> None:
    motion = torch.zeros(20, 3)
    motion[4] = torch.tensor([1.0, 0.9, 0.8])
    moved = network(*graph(9, 20, 3), level=2, motion=motion) - network(*graph(9, 20, 3), level=2)
    assert moved[0, 4].abs() > 1e-4


def test_past_and_future_are_told_apart(network: AssociationNetwork) -> None:
    node, feature, edge = graph(9, 20, 3)
    assert not torch.allclose(network(node, feature, edge, 1), network(node, feature, edge.flip(0), 1), atol=1e-3)


def test_levels_are_told_apart_and_the_last_serves_all_above(network: AssociationNetwork) -> None:
    sample = graph(9, 20, 3)
    assert not torch.allclose(network(*sample, level=1), network(*sample, level=2), atol=1e-4)
    assert torch.equal(network(*sample, level=9), network(*sample, level=12))


def test_every_step_but_the_first_gives_logits(network: AssociationNetwork) -> None:
    assert network(*graph(9, 20, 3), level=1).shape == (CONFIG.steps - 1, 20)


def test_the_networks_are_small(network: AssociationNetwork) -> None:
    count = sum(p.numel() for p in network.parameters()) + sum(p.numel() for p in NodeNetwork(CONFIG).parameters())
    assert 20_000 < count < 50_000

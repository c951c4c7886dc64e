"""The association network as PyTorch Geometric would have it: ``MessagePassing`` modules over a ``Batch`` of clips."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MessagePassing

from spam_model.graph.hierarchy import LevelGraph
from spam_model.graph.model import SpamModel
from spam_model.values.candidates import IntArray


class Messages(MessagePassing):
    """Sums relu(f([h_v, e_vu])) at u, in one direction of time."""

    def __init__(self, message_mlp: torch.nn.Module, flow: str) -> None:
        super().__init__(aggr="sum", flow=flow)
        self.message_mlp = message_mlp

    def forward(self, h: Tensor, e: Tensor, edge_index: Tensor) -> Tensor:
        return self.propagate(edge_index, h=h, e=e)

    def message(self, h_j: Tensor, e: Tensor) -> Tensor:
        return torch.relu(self.message_mlp(torch.cat([h_j, e], dim=1)))


class PygAssociation(torch.nn.Module):
    """The same equations and the very weights of a model's association network."""

    def __init__(self, model: SpamModel) -> None:
        super().__init__()
        self.model, self.network = model, model.association
        step = self.network.step
        self.from_past = Messages(step.past_message, "source_to_target")
        self.from_future = Messages(step.future_message, "target_to_source")

    def forward(self, batch: Data, level: int) -> Tensor:
        """Logits of the last step, [E]."""
        network, step = self.network, self.network.step
        index = torch.tensor(min(level, network.config.levels) - 1)
        h = torch.relu(network.node_encoder(self.model.scales["tracklet"](batch.x)))
        e0 = network.edge_encoder(self.model.scales["tracklet_edge"](batch.edge_attr)) + network.level(index)
        e0 = e = torch.relu(e0)
        past, future = batch.edge_index
        for _ in range(network.config.steps):
            e = torch.relu(step.edge_update(torch.cat([h[past], h[future], e0, e], dim=1)))
            received = [self.from_past(h, e, batch.edge_index), self.from_future(h, e, batch.edge_index)]
            h = torch.relu(step.node_update(torch.cat(received, dim=1)) + h)
        return network.classifier(e).squeeze(1)


def clips_of(graph: LevelGraph, clip_of_node: IntArray) -> tuple[list[Data], IntArray]:
    """One ``Data`` for each clip of a level's graph, and the place of each of their edges in the graph's own."""
    clips, places = [], []
    node, clip = torch.from_numpy(graph.node_feature), torch.from_numpy(clip_of_node)
    edge, attribute = torch.from_numpy(graph.edge), torch.from_numpy(graph.edge_feature)
    for number in torch.unique(clip):
        rows = torch.nonzero(clip == number).squeeze(1)
        mine = torch.nonzero(clip[edge[0]] == number).squeeze(1)
        index = torch.searchsorted(rows, edge[:, mine].contiguous())
        clips.append(Data(x=node[rows], edge_index=index, edge_attr=attribute[mine]))
        places.append(mine)
    return clips, torch.cat(places).numpy()


def batched(clips: list[Data]) -> Data:
    return Batch.from_data_list(clips)

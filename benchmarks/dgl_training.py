"""PinSage in DGL, taking turns with training_peers.py; runs in DGL's own Python.

    dgl/bin/python benchmarks/dgl_training.py walks|tables FOLDER BATCH WIDTH THREADS

Written after DGL's documentation and the published algorithm: `walks` draws the neighbors of every minibatch by
PinSAGESampler, as DGL's PinSAGE example does; `tables` reads the same neighborhoods as we do, as a weighted graph. A
pair has one random negative, as in that example; it knows no shared or hard negatives.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import dgl
import dgl.function as fn
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

T, LAYERS, MARGIN = 50, 2, 0.1
WALKS, HOPS, RESTART = 100, 2, 0.5  # of the peer's own sampler


class WeightedConvolution(nn.Module):
    """Algorithm 1 on a block: neighbors projected, summed by weight, joined with the node itself."""

    def __init__(self, inputs, width):
        super().__init__()
        self.neighbor, self.combine = nn.Linear(inputs, width), nn.Linear(inputs + width, width)

    def forward(self, block, hidden):
        """The convolved vectors of the block's destinations."""
        with block.local_scope():
            block.srcdata["n"] = F.relu(self.neighbor(hidden))
            block.edata["w"] = block.edata["weights"].float()
            block.update_all(fn.u_mul_e("n", "w", "m"), fn.sum("m", "n"))
            block.update_all(fn.copy_e("w", "m"), fn.sum("m", "ws"))
            pooled = block.dstdata["n"] / block.dstdata["ws"].unsqueeze(1).clamp(min=1e-6)
            own = hidden[: block.num_dst_nodes()]
            mixed = F.relu(self.combine(torch.cat([pooled, own], dim=1)))
            return mixed / mixed.norm(dim=1, keepdim=True).clamp(min=1e-6)


class Network(nn.Module):
    """Two convolutions and the dense head of Algorithm 2."""

    def __init__(self, inputs, width):
        super().__init__()
        self.convolutions = nn.ModuleList([WeightedConvolution(inputs, width), WeightedConvolution(width, width)])
        self.hidden, self.output = nn.Linear(width, width), nn.Linear(width, width // 2, bias=False)

    def forward(self, blocks, features):
        """The embeddings of the last block's destinations."""
        for convolution, block in zip(self.convolutions, blocks, strict=True):
            features = convolution(block, features)
        z = self.output(F.relu(self.hidden(features)))
        return z / z.norm(dim=1, keepdim=True).clamp(min=1e-6)


def tables_graph(folder):
    """The neighborhoods as a graph with weights on its edges."""
    neighbors, weights = (np.load(folder / f"{name}.npy") for name in ("neighbors", "weights"))
    rows, columns = np.nonzero(weights)
    edges = torch.from_numpy(neighbors[rows, columns]).long(), torch.from_numpy(rows)
    graph = dgl.graph(edges, num_nodes=len(neighbors))
    graph.edata["weights"] = torch.from_numpy(weights[rows, columns])
    return graph


def walks_sampler(folder):
    """DGL's own sampler on the graph of saves."""
    pins, boards = (torch.from_numpy(np.load(folder / f"saved_{name}.npy")).long() for name in ("pins", "boards"))
    num_pins = len(np.load(folder / "neighbors.npy", mmap_mode="r"))
    edges = {("pin", "on", "board"): (pins, boards), ("board", "has", "pin"): (boards, pins)}
    graph = dgl.heterograph(edges, num_nodes_dict={"pin": num_pins, "board": int(boards.max()) + 1})
    return dgl.sampling.PinSAGESampler(graph, "pin", "board", HOPS, RESTART, WALKS, T)


class Trainer:
    """A network on its way."""

    def __init__(self, kind, folder, batch_size, width):
        self.features = torch.from_numpy(np.load(folder / "features.npy"))
        self.pairs = [torch.from_numpy(np.load(folder / f"{name}.npy")).long() for name in ("query", "positive")]
        if kind == "walks":
            self.neighborhood = walks_sampler(folder)
        else:
            graph = tables_graph(folder)
            self.neighborhood = lambda seeds: dgl.in_subgraph(graph, seeds)
        torch.manual_seed(0)
        self.batch_size, self.losses = batch_size, []
        self.network = Network(self.features.shape[1], width)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=3e-3)

    def blocks(self, seeds):
        """The blocks of a minibatch, the one at the features first."""
        blocks = []
        for _ in range(LAYERS):
            block = dgl.to_block(self.neighborhood(seeds), seeds)
            seeds = block.srcdata[dgl.NID]
            blocks.insert(0, block)
        return blocks

    def steps(self, count):
        """Train on so many minibatches more."""
        for _ in range(count):
            rows = torch.randint(len(self.pairs[0]), (self.batch_size,))
            query, positive = (side[rows] for side in self.pairs)
            negative = torch.randint(len(self.features), (self.batch_size,))
            seeds, places = torch.unique(torch.cat([query, positive, negative]), return_inverse=True)
            blocks = self.blocks(seeds)
            z = self.network(blocks, self.features[blocks[0].srcdata[dgl.NID]])
            q, p, n = z[places].chunk(3)
            loss = F.relu((q * n).sum(1) - (q * p).sum(1) + MARGIN).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(float(loss))


def main():
    """Take the turns that stdin asks for."""
    kind, folder, *numbers = sys.argv[1:]
    batch_size, width, num_threads = map(int, numbers)
    if num_threads == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(num_threads)
    trainer = Trainer(kind, Path(folder), batch_size, width)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.steps(int(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        print(json.dumps({**seconds, "first_loss": trainer.losses[0], "peak_gib": peak}), flush=True)


if __name__ == "__main__":
    main()

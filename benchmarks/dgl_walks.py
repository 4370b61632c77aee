"""DGL's PinSAGESampler taking turns with benchmarks/walk_kernel.py; runs in DGL's own Python, answers on stdout.

    dgl/bin/python benchmarks/dgl_walks.py GRAPH_FOLDER 64|32

A line of stdin names a plan; the answer is CPU seconds and hops. DGL does not count its hops, so they are the expected
number: every walk makes a first traversal, and every later one with the chance not to have ended.
"""

import json
import os
import sys
import time
from pathlib import Path

import dgl
import numpy as np
import torch

BATCH = 512


def graph_of(folder: Path, dtype: type) -> tuple[dgl.DGLGraph, np.ndarray]:
    """The graph both ways, and the pins that have saves in the order in which every contestant takes them."""
    arrays = [np.load(folder / f"{name}.npy") for name in ("pin_offsets", "pin_boards", "board_offsets", "board_pins")]
    pins, boards = len(arrays[0]) - 1, len(arrays[2]) - 1
    connected = np.flatnonzero(np.diff(arrays[0]))
    tensors = [torch.from_numpy(array.astype(dtype)) for array in arrays]
    none = torch.empty(0, dtype=tensors[0].dtype)
    edges = {
        ("pin", "on", "board"): ("csr", (tensors[0], tensors[1], none)),
        ("board", "has", "pin"): ("csr", (tensors[2], tensors[3], none)),
    }
    graph = dgl.heterograph(edges, num_nodes_dict={"pin": pins, "board": boards}, idtype=tensors[0].dtype)
    return graph, np.random.default_rng(1).permutation(connected).astype(dtype)


def main() -> None:
    """Answer one line per line."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    graph, order = graph_of(Path(sys.argv[1]), np.int64 if sys.argv[2] == "64" else np.int32)
    for line in sys.stdin:
        plan = json.loads(line)
        sampler = dgl.sampling.PinSAGESampler(
            graph, "pin", "board", plan["hops"], plan["restart"], plan["walks"], plan["top"]
        )
        pins = torch.from_numpy(order[: plan["pins"]])
        began = time.process_time()
        for first in range(0, len(pins), BATCH):
            sampler(pins[first : first + BATCH])
        seconds = time.process_time() - began
        traversals = sum((1 - plan["restart"]) ** hop for hop in range(plan["hops"]))
        print(json.dumps({"seconds": seconds, "hops": 2 * traversals * plan["walks"] * len(pins)}), flush=True)


if __name__ == "__main__":
    main()

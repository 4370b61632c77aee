"""PinSage in DGL for time_to_quality.py: trains in turns, and writes every pin's embedding after each.

    dgl/bin/python benchmarks/dgl_quality.py FOLDER BATCH WIDTH

It runs in DGL's own Python and draws neighbors by PinSAGESampler, as DGL's example does; see dgl_training.py.
"""

import json
import sys
import time
from pathlib import Path

import dgl
import numpy as np
import torch
from dgl_training import Trainer

PINS_AT_ONCE = 2048


def embeddings(trainer):
    """The embeddings of all pins, float32 [P, d]."""
    found = []
    with torch.no_grad():
        for seeds in torch.arange(len(trainer.features)).split(PINS_AT_ONCE):
            blocks = trainer.blocks(seeds)
            found.append(trainer.network(blocks, trainer.features[blocks[0].srcdata[dgl.NID]]))
    return torch.cat(found).numpy()


def main():
    """Take the turns that stdin asks for."""
    folder, batch_size, width = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    began = time.process_time()
    trainer = Trainer("walks", folder, batch_size, width)
    cpu_s = time.process_time() - began  # what it takes to get ready counts as well, as with us
    for line in sys.stdin:
        began = time.process_time()
        trainer.steps(int(line))
        cpu_s += time.process_time() - began
        np.save(folder / "dgl.npy", embeddings(trainer))
        print(json.dumps({"cpu_s": cpu_s}), flush=True)


if __name__ == "__main__":
    main()

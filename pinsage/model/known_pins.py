"""A trained network on another catalog: its id embeddings, laid out by the pins of that.

P pins, d embedding size.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pinsage.model.network import PinSageNetwork

_IDS = "linear.ids.weight"


def with_pins(network: PinSageNetwork, rows: NDArray[np.int32]) -> PinSageNetwork:
    """The same network for other pins, in evaluation mode; without id embeddings it is `network` itself.

    A pin that the network was not trained on gets the id embedding 0, as pins without a training save have it: what
    its saves say still reaches it by the spectral features and by its neighbors.

    Args:
        network: the trained one.
        rows: int32 [P], the row of each pin in the catalog of the training; -1 for a pin that came later.
    """
    if not network.shape.num_pins:
        return network
    state = network.state_dict()
    known = torch.from_numpy(rows >= 0)
    table = state[_IDS].new_zeros(len(rows), network.shape.embedding_dim)  # [P, d]
    table[known] = state[_IDS][torch.from_numpy(rows[rows >= 0]).long()]
    other = PinSageNetwork(replace(network.shape, num_pins=len(rows)))
    other.load_state_dict({**state, _IDS: table})
    other.popularity = network.popularity
    return other.eval()

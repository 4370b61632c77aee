"""A network on disk: `model.safetensors` with the weights, mean and scale; `model.json` with what they fit.

Beside the shape `model.json` holds the strength of popularity that goes with the embeddings.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from pinsage.errors import ArtifactDamagedError, InputError
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import SHAPE, WEIGHTS, NetworkShape
from pinsage.store.machine import is_machine_fault


def save_network(network: PinSageNetwork, folder: Path) -> None:
    """Write the two files of a network into `folder`."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(tensors))
    text = json.dumps({**asdict(network.shape), "popularity": network.popularity}, indent=1) + "\n"
    (folder / SHAPE).write_text(text, encoding="utf-8")


def load_network(folder: Path) -> PinSageNetwork:
    """The network in `folder`, on the CPU, in evaluation mode.

    Raises:
        ArtifactDamagedError: a file is missing or unreadable, or the weights do not fit the shape.
    """
    try:
        raw = json.loads((folder / SHAPE).read_text(encoding="utf-8"))
        # It adds to scores and makes no vector, so it is no part of the network's shape.
        popularity = float(raw.pop("popularity", 0.0))
        network = PinSageNetwork(NetworkShape.parse(raw))
        network.popularity = popularity
        network.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, SafetensorError) as error:
        if is_machine_fault(error):
            raise
        raise ArtifactDamagedError(
            f"The model in {folder} cannot be read ({error}). Delete the folder; the next run trains it again."
        ) from None
    return network.eval()


def check_features(network: PinSageNetwork, widths: Mapping[str, int], num_pins: int) -> None:
    """Check that features have the blocks the network was trained on, and its pins where it knows each of them.

    Raises:
        InputError: names the blocks, or the numbers of pins, of both.
    """
    shape = network.shape
    if shape.num_pins and shape.num_pins != num_pins:
        raise InputError(
            f"The model has id embeddings of {shape.num_pins} pins and the catalog {num_pins} pins: a pin that was not "
            "trained on has none. Train again, or set model.id_embedding to never."
        )
    trained, given = dict(shape.blocks), dict(widths)
    if list(trained.items()) != list(given.items()):
        raise InputError(
            f"The model was trained on {_block_list(trained)}, but the features are {_block_list(given)}. "
            "Use the feature settings of its training run, or train again."
        )


def _block_list(blocks: Mapping[str, int]) -> str:
    return " | ".join(f"{name} {width}" for name, width in blocks.items())

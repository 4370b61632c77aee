"""The network for a pin without neighbors, in numpy: what answers new pins where no torch is installed.

Such a pin pools nothing (n_u = 0) and has no saves, so of Algorithm 2 a chain of dense layers is left, and the linear
path adds nothing.

D feature columns, m hidden width, d embedding size.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from pinsage.errors import ArtifactDamagedError
from pinsage.model.shape import FEATURE_LIMIT, NORM_FLOOR, SHAPE, WEIGHTS, NetworkShape
from pinsage.store.machine import is_machine_fault

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class IsolatedNetwork:
    """The trained network as far as an isolated pin passes through it.

    Attributes:
        shape: of the network; the features come in the order of its blocks.
        weights: the tensors that are read, by their names in the network.
    """

    shape: NetworkShape
    weights: Mapping[str, Vector]

    @classmethod
    def open(cls, folder: Path) -> "IsolatedNetwork":
        """The network that `model.file.save_network` wrote into a folder; its id embeddings are not read.

        Raises:
            ArtifactDamagedError: a file is missing or unreadable, a weight is missing, or one is NaN or infinite.
        """
        try:
            raw = json.loads((folder / SHAPE).read_text(encoding="utf-8"))
            raw.pop("popularity", None)
            shape = NetworkShape.parse(raw)
            with safe_open(folder / WEIGHTS, framework="numpy") as tensors:
                weights = {name: tensors.get_tensor(name) for name in _names(shape)}
            _check(shape, weights)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
            if is_machine_fault(error):
                raise
            raise ArtifactDamagedError(
                f"The model in {folder} cannot be read ({error}). Train again, or go back to an earlier model."
            ) from None
        return cls(shape, weights)

    def embed(self, features: Vector) -> Vector:
        """The embedding of an isolated pin: float32 [d], unit length; zero where ReLU leaves nothing.

        Args:
            features: float32 [D], raw; zero in the blocks that saves make.

        Source: PinSage Algorithms 1 and 2, with N(u) empty.
        """
        unread = self.shape.unread
        standardized = (features - self.weights["mean"]) / self.weights["scale"]
        hidden = np.delete(standardized.clip(-FEATURE_LIMIT, FEATURE_LIMIT), unread)  # [inputs]
        for layer in range(self.shape.num_layers):
            # W of W · concat(h_u, n_u); its columns for n_u meet zeros.
            own = self.weights[f"convolutions.{layer}.combine.weight"][:, : len(hidden)]
            hidden = _unit_length(_relu(own @ hidden + self.weights[f"convolutions.{layer}.combine.bias"]))
            hidden *= self.shape.convolved_length
        hidden = _relu(self.weights["head_hidden.weight"] @ hidden + self.weights["head_hidden.bias"])
        return _unit_length(self.weights["head_output.weight"] @ hidden)


def _names(shape: NetworkShape) -> list[str]:
    dense = [f"convolutions.{layer}.combine" for layer in range(shape.num_layers)] + ["head_hidden"]
    return ["mean", "scale", "head_output.weight", *(f"{name}.{kind}" for name in dense for kind in ("weight", "bias"))]


def _check(shape: NetworkShape, weights: Mapping[str, Vector]) -> None:
    for name, weight in weights.items():
        if not np.isfinite(weight).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if weights["mean"].shape != (shape.num_features,) or len(weights["head_output.weight"]) != shape.embedding_dim:
        raise ValueError("its weights do not fit its shape")


def _relu(vector: Vector) -> Vector:
    return np.maximum(vector, 0)


def _unit_length(vector: Vector) -> Vector:
    unit: Vector = vector / max(np.float32(np.linalg.norm(vector)), np.float32(NORM_FLOOR))
    return unit

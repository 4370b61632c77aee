"""The data and settings that methods are made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import EvaluateSettings, ModelSettings, TrainSettings


@dataclass(frozen=True)
class MethodInputs:
    """Content, the training graph, training and validation pairs, and PinSage's embeddings.

    `popularity` float32 [P] is added to PinSage's cosine where a pin is a candidate; None where nothing is added.
    """

    embeddings: NDArray[np.float32]
    features: FeatureMatrix
    graph: BipartiteGraph
    train: Pairs
    validation: HeldOutPairs
    popularity: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class MethodSettings:
    """The settings that the methods share with PinSage, and a folder for checkpoints."""

    model: ModelSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    scratch: Path | None = None

"""A training as a process of its own, to be killed: says every step, and at the end a checksum of all it came to.

python train_in_a_process.py SCRATCH
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from pinsage.features.matrix import FeatureMatrix
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit
from pinsage.walks.neighborhood import Neighborhoods

NUM_PINS, STEPS = 2000, 60
MODEL = ModelSettings(num_layers=2, hidden_dim=32, embedding_dim=16, linear_path=False)  # for a disk of 1 MB
TRAIN = TrainSettings(
    steps=STEPS, batch_size=64, num_negatives=100, validate_every=9, checkpoint_every=4, num_threads=1, device="cpu"
)


def trained(scratch, on_progress):
    """The result of the training, from whatever checkpoint there is."""
    rng = np.random.default_rng(0)
    weights = rng.random((NUM_PINS, 10), dtype=np.float32)
    data = TrainingData(
        features=FeatureMatrix({"visual": rng.normal(size=(NUM_PINS, 24)).astype(np.float32)}),
        neighborhoods=Neighborhoods(rng.integers(NUM_PINS, size=(NUM_PINS, 10), dtype=np.int32), weights),
        hard_negatives=rng.integers(NUM_PINS, size=(NUM_PINS, 10), dtype=np.int32),
        train=Pairs(*rng.integers(NUM_PINS, size=(2, 5000), dtype=np.int32)),
        validation=Pairs(*rng.integers(NUM_PINS, size=(2, 200), dtype=np.int32)),
    )
    return fit(data, MODEL, TRAIN, scratch=scratch, on_progress=on_progress)


def checksum(result):
    """Of the weights, the curves and the counts."""
    outcome = hashlib.sha256(repr((result.curve, result.validation, result.num_replaced)).encode())
    for name, tensor in sorted(result.network.state_dict().items()):
        outcome.update(name.encode() + tensor.numpy().tobytes())
    return outcome.hexdigest()


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    result = trained(Path(sys.argv[1]), lambda how: say("step", how.done))
    say("outcome", checksum(result), result.resumed_from)

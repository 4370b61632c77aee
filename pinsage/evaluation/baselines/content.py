"""Methods that look at pictures and words alone.

Source: PinSage §4.2.
"""

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.features.matrix import CONTENT
from pinsage.inference import embed_all
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit


def visual(inputs: MethodInputs, settings: MethodSettings) -> Similarity:
    """Cosine similarity of the pictures."""
    return Similarity(inputs.features.block("visual"))


def annotation(inputs: MethodInputs, settings: MethodSettings) -> Similarity:
    """Cosine similarity of the words."""
    return Similarity(inputs.features.block("text"))


def combined(inputs: MethodInputs, settings: MethodSettings) -> Similarity:
    """The dense head alone, trained on pictures and words with PinSage's loss and pairs.

    Differs from the paper: a data set with only pictures or only words gets its Combined from that one.
    """
    kept = [name for name in CONTENT if inputs.features.has_content(name).any()]
    features = inputs.features.only(*kept, *(CONTENT[name] for name in kept))
    data = TrainingData(features, None, None, inputs.train, inputs.validation)
    model = settings.model.model_copy(update={"num_layers": 0, "linear_path": False})
    train = settings.train.model_copy(update={"steps": settings.evaluate.combined_steps, "max_hard_negatives": 0})
    scratch = settings.scratch / "combined" if settings.scratch else None
    return Similarity(embed_all(fit(data, model, train, scratch=scratch).network, features, None))

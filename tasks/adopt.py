"""Adopt the network of an earlier run for the pins of today, in place of a training."""

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.ids import rows_among
from pinsage.features.matrix import FeatureMatrix
from pinsage.model.file import check_features, load_network, save_network
from pinsage.model.known_pins import with_pins
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def adopt(work: StageWork) -> Facts:
    """Write the network of the model's run with its id embeddings in the order of this run's pins.

    Returns:
        How many pins it was trained with, how many of them are still there, and how many are new.

    Raises:
        InputError: the features are not those of its training.
    """
    trained, now = (Catalog.open(folder) for folder in (work.fitted["ingest"], work.inputs["ingest"]))
    rows = rows_among(now.pin_ids.array, trained.pin_ids.array)
    # Row numbers change with every catalog: id embeddings are brought to the rows of their pins today.
    network = with_pins(load_network(work.fitted["train"]), rows)
    check_features(network, FeatureMatrix.open(work.inputs).widths, now.num_pins)
    save_network(network, work.out)
    num_known = int((rows >= 0).sum())
    return {
        "trained_pins": trained.num_pins,
        "known_pins": num_known,
        "new_pins": now.num_pins - num_known,
        "id_embeddings": network.shape.num_pins,
        "popularity": network.popularity,
    }

"""Pair pins that belong together, and split the pairs before the graph exists."""

import numpy as np
import pyarrow as pa

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.parquet_files import write_parquet
from pinsage.pairs import split_pairs
from pinsage.store.manifest import Facts
from tasks.work import StageWork


def pair(work: StageWork) -> Facts:
    """Write the pairs of each split, the saves that the graph may know, and the pins that none of these touches.

    Raises:
        DatasetError: a split that should hold pairs holds none.
        SettingsError: the settings of the split contradict each other or the data set.
    """
    catalog = Catalog.open(work.inputs["ingest"])
    split = split_pairs(catalog, work.settings.pairs)
    split.train.write(work.out / "train.parquet")
    split.validation.write(work.out / "validation.parquet")
    split.test.write(work.out / "test.parquet")
    write_parquet(work.out / "saves.parquet", pa.table({"board": split.saves.board, "pin": split.saves.pin}))
    np.save(work.out / "cold_pins.npy", split.cold_pins, allow_pickle=False)
    return {
        "source": split.source,
        "train_pairs": len(split.train),
        "validation_pairs": len(split.validation),
        "test_pairs": len(split.test),
        "self_pairs_dropped": split.self_pairs_dropped,
        "repeated_pairs_removed": split.repeated_pairs_removed,
        "training_saves": len(split.saves),
        "held_out_saves": split.held_out_saves,
        "cold_pins": len(split.cold_pins),
    }

"""Pair pins that belong together, and split the pairs before the graph exists."""

from dataclasses import asdict

from pinsage.catalog.catalog import Catalog
from pinsage.pairs.split import write_split
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def pair(work: StageWork) -> Facts:
    """Write the pairs of each split, the saves that the graph may know, and the pins that none of these touches.

    Raises:
        DatasetError: a split that should hold pairs holds none.
        SettingsError: the settings of the split contradict each other or the data set.
    """
    return asdict(write_split(Catalog.open(work.inputs["ingest"]), work.settings.pairs, work.out))

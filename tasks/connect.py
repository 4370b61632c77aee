"""Connect pins and boards: the graph of the training saves."""

from pathlib import Path

import numpy as np
from pyarrow import parquet

from pinsage.errors import DatasetError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.store.manifest import Facts
from tasks.work import StageWork


def connect(work: StageWork) -> Facts:
    """Write the four arrays of the graph; returns its size and its degrees.

    Raises:
        DatasetError: there are no training saves, or one names a pin or board that the catalog lacks.
    """
    catalog = work.inputs["ingest"]
    saves = parquet.read_table(work.inputs["pair"] / "saves.parquet", columns=["board", "pin"])
    if saves.num_rows == 0:
        raise DatasetError(
            "There are 0 training saves, so no pin has a neighbor. Use more saves or a later data.as_of."
        )
    graph = build_graph(
        saves["pin"].to_numpy(),
        saves["board"].to_numpy(),
        num_pins=_num_rows(catalog / "pins.parquet"),
        num_boards=_num_rows(catalog / "boards.parquet"),
    )
    graph.save(work.out)
    return _facts(graph)


def _num_rows(path: Path) -> int:
    return int(parquet.read_metadata(path).num_rows)


def _facts(graph: BipartiteGraph) -> Facts:
    pins, boards = graph.pin_degrees, graph.board_degrees
    # A pin reaches another one exactly if one of its boards holds two pins.
    shared = np.repeat(boards >= 2, boards)
    reaching = np.zeros(graph.num_pins, bool)
    reaching[graph.board_pins[shared]] = True
    return {
        "pins": graph.num_pins,
        "boards": graph.num_boards,
        "saves": graph.num_saves,
        "isolated_pins": int(np.count_nonzero(pins == 0)),
        "empty_boards": int(np.count_nonzero(boards == 0)),
        "connected_pins_share": round(float(reaching.mean()), 4),
        "median_boards_per_pin": float(np.median(pins)),
        "max_boards_per_pin": int(pins.max()),
        "median_pins_per_board": float(np.median(boards)),
        "max_pins_per_board": int(boards.max()),
    }

"""A few held-out queries with the nearest pins of each method: what a person looks at to judge."""

import logging
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.evaluation.ranking import Scorer, top

log = logging.getLogger(__name__)
NUM_QUERIES, DEPTH = 200, 20  # as many as the settings of the report may ask for
SHOWN = ("visual", "annotation", "combined", "pixie", "pinsage")
SCHEMA = pa.schema([("query", "int32"), ("method", "string"), ("rank", "int8"), ("pin", "int32"), ("score", "float32")])


def example_queries(
    queries: NDArray[np.int32], has_picture: NDArray[np.bool_], has_words: NDArray[np.bool_], seed: int
) -> NDArray[np.int32]:
    """Distinct queries in a random order, those with a picture and words first, then with one of them, then the rest.

    Args:
        queries: int32 [N], may repeat.
        has_picture, has_words: bool [P].
        seed: of the order.

    Returns:
        int32 [≤ NUM_QUERIES].
    """
    distinct = np.random.default_rng(seed).permutation(np.unique(queries))
    content = has_picture[distinct].astype(np.int8) + has_words[distinct]  # 0, 1 or 2
    return distinct[np.argsort(-content, kind="stable")][:NUM_QUERIES]


def examples_table(scorers: Mapping[str, Scorer], queries: NDArray[np.int32]) -> pa.Table:
    """The nearest pins of each query by each method in SHOWN that there is, one row per pin, rank from 1.

    Source: PinSage §4.3, Figure 4.
    """
    tables = [_rows(method, *top(scorers[method], queries, DEPTH), queries) for method in SHOWN if method in scorers]
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def _rows(method: str, pins: NDArray[np.int32], scores: NDArray[np.float32], queries: NDArray[np.int32]) -> pa.Table:
    row, place = np.nonzero(pins >= 0)  # of the pins found, [pins]
    columns = [queries[row], [method] * len(row), (place + 1).astype(np.int8), pins[row, place], scores[row, place]]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)

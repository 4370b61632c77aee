"""The rows that people look at."""

import numpy as np

from pinsage.evaluation.baselines.counts import Popularity
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.examples import DEPTH, NUM_QUERIES, SCHEMA, example_queries, examples_table


def test_queries_are_distinct_and_those_with_content_come_first():
    """Pins 0-9 have both, 10-19 a picture, 20-29 nothing."""
    pins = np.arange(30)
    chosen = example_queries(np.repeat(np.arange(30, dtype=np.int32), 3), pins < 20, pins < 10, seed=0)
    assert set(chosen[:10].tolist()) == set(range(10))
    assert set(chosen[10:20].tolist()) == set(range(10, 20))
    assert sorted(chosen.tolist()) == list(range(30))


def test_queries_are_drawn_by_the_seed_and_limited():
    """The same twice, others for another seed."""
    queries, flags = np.arange(5000, dtype=np.int32), np.ones(5000, bool)
    first, again, other = (example_queries(queries, flags, flags, seed) for seed in (0, 0, 1))
    assert len(first) == NUM_QUERIES
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_the_table_holds_ranks_from_one_and_no_unranked_pins():
    """Pin 3 has a zero vector: it answers no query and has no answers."""
    scorer = Similarity(np.array([[1, 0], [1, 0.1], [0, 1], [0, 0]], np.float32))
    rows = examples_table({"visual": scorer}, np.array([0, 3], np.int32)).to_pylist()
    assert [(row["query"], row["method"], row["rank"], row["pin"]) for row in rows] == [
        (0, "visual", 1, 1),
        (0, "visual", 2, 2),
    ]
    assert rows[0]["score"] > 0.99


def test_at_most_depth_pins_per_query_and_no_popularity():
    """Popularity shows the same pins in every row, so it is left to the table of metrics."""
    vectors = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    methods = {"pinsage": Similarity(vectors), "popularity": Popularity(np.arange(100))}
    table = examples_table(methods, np.arange(3, dtype=np.int32))
    assert table.num_rows == 3 * DEPTH
    assert set(table["method"].to_pylist()) == {"pinsage"}


def test_no_methods_and_no_queries_make_an_empty_table():
    """With the columns of the data model all the same."""
    scorer = Similarity(np.eye(3, dtype=np.float32))
    for table in (
        examples_table({}, np.arange(3, dtype=np.int32)),
        examples_table({"visual": scorer}, np.empty(0, np.int32)),
    ):
        assert table.schema == SCHEMA
        assert table.num_rows == 0

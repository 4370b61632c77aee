"""Recall of the index: the figure that counting by hand gives, and high enough with the default settings."""

import numpy as np
import pytest
from index_world import SETTINGS, build, random_unit, unit

from pinsage.errors import InputError
from pinsage.recall import Recall, enough_recall, measure_recall
from pinsage.settings import IndexSettings

NONE = np.zeros(500, np.float32)  # popularity that leaves the cosine alone


def test_recall_is_perfect_on_a_tiny_set(tmp_path):
    """With search_k above the number of nodes nothing can be missed, and the table is in order."""
    embeddings = random_unit(60)
    table = measure_recall(build(embeddings, tmp_path), embeddings, NONE[: len(embeddings)], SETTINGS)
    assert [row.search_k for row in table] == [50, 500, 1000, 2000, 4000, 8000, 16000]
    assert [row.recall_at_10 for row in table[1:]] == [1.0] * 6


def test_recall_agrees_with_counting_by_hand(tmp_path):
    """One tree and a tiny search_k miss much; the figure is the one that set intersection gives."""
    embeddings = random_unit(400, dim=32)
    settings = IndexSettings(num_trees=1, search_k=20, recall_queries=40)
    index = build(embeddings, tmp_path, settings=settings)
    row = next(row for row in measure_recall(index, embeddings, NONE[:400], settings) if row.search_k == 20)
    queries = np.random.default_rng(0).choice(400, 40, replace=False)
    found = 0
    for query in queries:
        exact = [pin for pin in np.argsort(-(embeddings @ embeddings[query])) if pin != query][:10]
        found += len(set(exact) & set(index.related(int(query), 10)[0].tolist()))
    assert row.recall_at_10 == pytest.approx(found / 400)
    assert row.recall_at_10 < 0.9


@pytest.mark.parametrize("num_pins", [1, 2, 5])
def test_recall_of_a_catalog_smaller_than_ten(tmp_path, num_pins):
    """All others found is a recall of 1."""
    embeddings = random_unit(num_pins)
    table = measure_recall(build(embeddings, tmp_path), embeddings, NONE[: len(embeddings)], SETTINGS)
    assert {row.recall_at_10 for row in table} == {1.0}


@pytest.mark.parametrize("strength", [0.02, 0.1, 0.5])
def test_recall_is_reached_with_popularity_of_any_strength(tmp_path, strength):
    """Default settings, more pins than are inspected, in clusters, with the degrees of a Zipf law."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(100, 32))
    embeddings = unit(centers[rng.integers(100, size=12_000)] + 0.5 * rng.normal(size=(12_000, 32)))
    popularity = (strength * np.log1p(np.minimum(rng.zipf(1.6, size=12_000), 10_000))).astype(np.float32)
    choices = IndexSettings(recall_queries=100)
    index = build(embeddings, tmp_path, popularity, choices)
    table = measure_recall(index, embeddings, popularity, choices)
    assert enough_recall(table, choices).recall_at_10 >= 0.95


def test_a_search_is_made_as_thorough_as_the_recall_asks():
    """The smallest search_k that will do, never below the settings' own; an error with both ends where none will."""
    table = [Recall(50, 0.5, 1.0), Recall(100, 0.8, 1.0), Recall(200, 0.95, 1.0)]
    assert enough_recall(table, IndexSettings(search_k=100)).search_k == 200
    assert enough_recall(table, IndexSettings(search_k=100, min_recall=0.7)).search_k == 100
    assert enough_recall(table, IndexSettings(search_k=200, min_recall=0.5)).search_k == 200
    with pytest.raises(
        InputError, match=r"0\.800 at search_k 100 and 0\.950 at 200, below .* 0\.99\. Raise index\.num_tr"
    ):
        enough_recall(table, IndexSettings(search_k=100, min_recall=0.99))

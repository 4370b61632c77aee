"""Recall of an index: the figure that counting by hand gives, with and without popularity."""

import numpy as np
import pytest
from index_world import PLAN, build, random_unit

from pinsage.index.build import IndexPlan
from pinsage.index.recall import Sample, measure_recall

NONE = np.zeros(500, np.float32)  # popularity that leaves the cosine alone


def test_recall_is_perfect_on_a_tiny_set(tmp_path):
    """With search_k above the number of nodes nothing can be missed."""
    embeddings = random_unit(60)
    sample = Sample.draw(embeddings, NONE[:60], 500, seed=0)
    found = measure_recall(build(embeddings, tmp_path), sample, 1000)
    assert (found.recall_at_10, len(sample.queries)) == (1.0, 60)
    assert found.queries_per_s > 0
    assert found.p99_ms > 0


def test_recall_agrees_with_counting_by_hand(tmp_path):
    """One tree and a tiny search_k miss much; the figure is the one that set intersection gives."""
    embeddings = random_unit(400, dim=32)
    index = build(embeddings, tmp_path, plan=IndexPlan(num_trees=1, search_k=20))
    sample = Sample.draw(embeddings, NONE[:400], 40, seed=0)
    recall = measure_recall(index, sample, 20).recall_at_10
    found = 0
    for query in sample.queries.tolist():
        exact = [pin for pin in np.argsort(-(embeddings @ embeddings[query])) if pin != query][:10]
        found += len(set(exact) & set(index.related(query, 10)[0].tolist()))
    assert recall == pytest.approx(found / 400)
    assert recall < 0.9


@pytest.mark.parametrize("num_pins", [1, 2, 5])
def test_recall_of_a_catalog_smaller_than_ten(tmp_path, num_pins):
    """All others found is a recall of 1."""
    embeddings = random_unit(num_pins)
    sample = Sample.draw(embeddings, NONE[:num_pins], 500, seed=0)
    assert measure_recall(build(embeddings, tmp_path, plan=PLAN), sample, 100).recall_at_10 == 1.0

"""Exact ranks: by hand, under ties, and against an obvious slow version."""

import numpy as np
import pytest

from pinsage.evaluation import ranking
from pinsage.evaluation.baselines import Similarity
from pinsage.evaluation.ranking import UNRANKED, ranks, top
from pinsage.pairs.pairs import Pairs


class Fixed:
    """A method whose scores are written down: row q holds the scores of query q."""

    def __init__(self, table) -> None:
        self.table = np.asarray(table, np.float32)
        self.num_pins = self.table.shape[1]

    def scores(self, queries):
        return self.table[queries].copy()


def pairs(*rows) -> Pairs:
    """Pairs (query, positive)."""
    query, positive = np.array(rows, np.int32).reshape(-1, 2).T
    return Pairs(query.copy(), positive.copy())


def slow_rank(scores, query, positive) -> int:
    """The definition, one pin at a time."""
    others = [float(score) for pin, score in enumerate(scores) if pin not in (query, positive)]
    own = float(scores[positive])
    higher = sum(score > own + 1e-6 for score in others)
    same = sum(abs(score - own) <= 1e-6 for score in others)
    return 1 + higher + -(-same // 2)


def test_ranks_of_a_line_of_scores():
    """Query 0 leaves pins 1 to 4 with falling scores: ranks 1 to 4, whatever the query scores itself."""
    scorer = Fixed([[99, 0.9, 0.5, 0.1, -0.3]])
    assert ranks(scorer, pairs((0, 1), (0, 2), (0, 3), (0, 4))).tolist() == [1, 2, 3, 4]


def test_perfect_embeddings_rank_every_positive_first():
    """Twins at right angles to all others find each other."""
    scorer = Similarity(np.repeat(np.eye(5, dtype=np.float32), 2, axis=0))
    assert ranks(scorer, pairs(*[(pin, pin ^ 1) for pin in range(10)])).tolist() == [1] * 10


def test_the_worst_embeddings_rank_every_positive_last():
    """The positive is opposite to its query, all others are nearer."""
    scorer = Similarity(np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]], np.float32))
    assert ranks(scorer, pairs((0, 1))).tolist() == [4]


@pytest.mark.parametrize(("num_pins", "rank"), [(3, 2), (4, 2), (10, 5), (11, 6)])
def test_embeddings_that_collapsed_rank_in_the_middle(num_pins, rank):
    """All equal: 1 + half of the other candidates, rounded up; a constant model earns nothing."""
    scorer = Similarity(np.ones((num_pins, 4), np.float32))
    assert ranks(scorer, pairs((0, 1), (1, 0))).tolist() == [rank, rank]


def test_scores_that_differ_by_rounding_are_ties():
    """The storage order of duplicates must not decide a rank."""
    assert ranks(Fixed([[0, 0.5, 0.5 + 1e-7, 0.5 - 1e-7]]), pairs((0, 1), (0, 2), (0, 3))).tolist() == [2, 2, 2]


def test_pins_a_method_cannot_rank_tie_behind_all_it_can():
    """Two ranked pins come first; the three others share the middle of what is left."""
    scorer = Fixed([[0, -1, 0.5, UNRANKED, UNRANKED, UNRANKED]])
    assert ranks(scorer, pairs((0, 2), (0, 1), (0, 3), (0, 5))).tolist() == [1, 2, 4, 4]


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 40 * 3, 10**9])
def test_ranks_agree_with_the_slow_version_in_any_chunking(monkeypatch, chunk_bytes):
    """Random scores with many ties, repeated queries in any order."""
    monkeypatch.setattr(ranking, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(1)
    scorer = Fixed(rng.integers(0, 8, (40, 40)) / 10)
    rows = [(q, p) for q, p in rng.integers(0, 40, (200, 2)).tolist() if q != p]
    expected = [slow_rank(scorer.table[q], q, p) for q, p in rows]
    assert ranks(scorer, pairs(*rows)).tolist() == expected


def test_ranks_of_no_pairs_are_none():
    """An empty part of the split."""
    assert ranks(Fixed(np.eye(3)), pairs()).shape == (0,)


def test_top_is_a_sort_without_the_query_and_the_unranked():
    """Best first, of equals the smaller pin, padded where nothing is left."""
    table = [[9, 0.2, 0.7, 0.7, UNRANKED, 0.1], [0.3, 9, UNRANKED, UNRANKED, UNRANKED, UNRANKED]]
    pins, scores = top(Fixed(table), np.array([0, 1], np.int32), 3)
    assert pins.tolist() == [[2, 3, 1], [0, -1, -1]]
    np.testing.assert_allclose(scores, [[0.7, 0.7, 0.2], [0.3, 0, 0]], atol=1e-7)


def test_top_agrees_with_a_full_sort():
    """Against sorting everything."""
    rng = np.random.default_rng(2)
    scorer = Fixed(rng.integers(0, 30, (20, 50)) / 10)
    found, _ = top(scorer, np.arange(20, dtype=np.int32), 7)
    for query, line in enumerate(scorer.table):
        order = sorted((-score, pin) for pin, score in enumerate(line.tolist()) if pin != query)
        assert found[query].tolist() == [pin for _, pin in order[:7]]

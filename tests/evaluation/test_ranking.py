"""Exact ranks: by hand, under ties, and against an obvious slow version."""

import numpy as np
import pytest

from pinsage.evaluation import ranking
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import (
    UNRANKED,
    Targets,
    board_chunks,
    mean_scores,
    query_chunks,
    rank_chunks,
    ranks,
    top,
)
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


def slow_rank(scores, query, positive, excluded=()) -> float:
    """The definition, one pin at a time."""
    others = [float(score) for pin, score in enumerate(scores) if pin not in (query, positive, *excluded)]
    own = float(scores[positive])
    higher = sum(score > own + 1e-6 for score in others)
    same = sum(abs(score - own) <= 1e-6 for score in others)
    return 1 + higher + same / 2


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


@pytest.mark.parametrize(("num_pins", "rank"), [(3, 1.5), (4, 2), (10, 5), (11, 5.5)])
def test_embeddings_that_collapsed_rank_in_the_middle(num_pins, rank):
    """All equal: 1 + half of the other candidates; a constant model earns nothing."""
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


def test_scores_far_below_1_are_told_apart():
    """What counts as rounding is a share of the best score: chances of one in a million are no ties."""
    assert ranks(Fixed([[0, 3e-6, 2e-6, 1e-6]]), pairs((0, 1), (0, 2), (0, 3))).tolist() == [1, 2, 3]


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 40 * 3, 10**9])
def test_pins_left_out_are_no_candidates_of_the_question_that_leaves_them_out(monkeypatch, chunk_bytes):
    """Two questions about the same scores, against the slow version; the second one's tops lack what it leaves out."""
    monkeypatch.setattr(ranking, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(3)
    scorer, queries = Fixed(rng.integers(0, 9, (40, 40)) / 10), np.arange(0, 40, 2, dtype=np.int32)
    draws = [rng.permutation(np.setdiff1d(np.arange(40), query)) for query in queries]
    positives = PinLists.of(
        np.repeat(np.arange(20), 3), np.concatenate([row[:3] for row in draws]).astype(np.int32), 20
    )
    known = PinLists.of(np.repeat(np.arange(20), 8), np.concatenate([row[3:11] for row in draws]).astype(np.int32), 20)
    first, second = rank_chunks(
        query_chunks(scorer, queries), [Targets(positives), Targets(positives, known)], depth=40
    )
    for row, query in enumerate(queries):
        targets, without = (lists.part(row, row + 1).pins.tolist() for lists in (positives, known))
        at = slice(positives.offsets[row], positives.offsets[row + 1])
        line = scorer.table[query]
        assert first.ranks[at].tolist() == [slow_rank(line, query, pin) for pin in targets]
        assert second.ranks[at].tolist() == [slow_rank(line, query, pin, without) for pin in targets]
        assert set(first.top[row].tolist()) == {-1, *range(40)} - {query}
        assert set(second.top[row].tolist()) == {-1, *range(40)} - {query, *without}


def test_the_mean_over_a_board_counts_what_is_unranked_as_nothing():
    """Pin 2 is known to one of two pins, pin 3 to none."""
    scorer = Fixed([[1, 0.5, 0.4, UNRANKED], [0.2, 1, UNRANKED, UNRANKED], [0] * 4, [0] * 4])
    boards = PinLists(np.array([0, 2]), np.array([0, 1], np.int32))
    np.testing.assert_allclose(mean_scores(scorer, boards), [[0.6, 0.75, 0.2, UNRANKED]])


@pytest.mark.parametrize("chunk_bytes", [1, 10**9])
def test_boards_are_scored_by_the_mean_in_any_chunking(monkeypatch, chunk_bytes):
    """With a method that has no faster way."""
    monkeypatch.setattr(ranking, "CHUNK_BYTES", chunk_bytes)
    scorer = Fixed(np.random.default_rng(0).normal(size=(9, 9)))
    boards = PinLists(np.array([0, 4, 5]), np.array([3, 1, 8, 0, 2], np.int32))
    found = np.concatenate([scores for _, scores in board_chunks(scorer, boards)])
    np.testing.assert_allclose(found, [scorer.table[[3, 1, 8, 0]].mean(axis=0), scorer.table[2]], rtol=1e-5)

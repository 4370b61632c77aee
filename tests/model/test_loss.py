"""The losses, against values worked out by hand and against loops."""

import math

import pytest
import torch

from pinsage.model.loss import InBatch, Scores, cross_entropy, max_margin, sampled_softmax


def scores(positive, shared, hard=None, shared_mask=None, hard_mask=None):
    shared = torch.tensor(shared)
    hard = torch.tensor(hard) if hard is not None else torch.empty(len(positive), 0)
    shared_mask = torch.ones_like(shared, dtype=torch.bool) if shared_mask is None else torch.tensor(shared_mask)
    hard_mask = torch.ones_like(hard, dtype=torch.bool) if hard_mask is None else torch.tensor(hard_mask)
    return Scores(torch.tensor(positive), shared, shared_mask, hard, hard_mask)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (scores([0.9], [[0.1, 0.2]]), 0.0),  # all negatives are farther than the margin
        (scores([0.5], [[0.5, 0.3]]), 0.05),  # (0.1 + 0) / 2
        (scores([0.5], [[0.5, 0.9]], shared_mask=[[True, False]]), 0.1),  # the masked one does not count
        (scores([0.5], [[0.9]], shared_mask=[[False]]), 0.0),  # nothing left to compare with
        (scores([0.5], [[0.1]], hard=[[0.6, 0.4]]), 0.1),  # 0 from the shared, (0.2 + 0) / 2 from the hard
        (scores([0.5, 0.9], [[0.7], [0.0]]), 0.15),  # (0.3 + 0) / 2 queries
    ],
)
def test_max_margin_of_small_cases(given, expected):
    """Eq. 1 by hand, margin 0.1."""
    assert max_margin(given, 0.1).item() == pytest.approx(expected, abs=1e-6)


def test_equal_scores_cost_the_margin():
    """A network that maps every pin to one point pays Δ per kind of negative."""
    assert max_margin(scores([1.0], [[1.0, 1.0]], hard=[[1.0]]), 0.1).item() == pytest.approx(0.2)


def test_cross_entropy_of_small_cases():
    """By hand, temperature 0.5: one query, then a masked negative and a hard one beside it."""

    def log_share(score):
        return math.log1p(math.exp(-score / 0.5))

    value = cross_entropy(scores([0.4], [[0.2, -0.6]]), 0.5).item()
    assert value == pytest.approx(log_share(0.4) + (log_share(-0.2) + log_share(0.6)) / 2)
    given = scores([0.4], [[0.2, 0.9]], hard=[[0.3]], shared_mask=[[True, False]])
    assert cross_entropy(given, 0.5).item() == pytest.approx(log_share(0.4) + log_share(-0.2) + log_share(-0.3))


def test_sampled_softmax_equals_a_loop():
    """−log of the positive's share among what is sampled, each corrected by its expected count."""
    given = scores(
        [0.5, 0.1], [[0.2, 0.3], [0.0, -0.1]], hard=[[0.4], [0.2]], shared_mask=[[True, False], [True, True]]
    )
    others = InBatch(
        scores=torch.tensor([[0.5, 0.7], [0.6, 0.1]]),
        mask=torch.tensor([[False, True], [True, False]]),
        own_log_q=torch.tensor([-1.0, -2.0]),
        positive_log_q=torch.tensor([-1.0, -2.0]),
        shared_log_q=torch.tensor([-3.0, -4.0]),
        hard_log_q=-0.5,
    )
    t = 0.5
    own = [math.exp(0.5 / t + 1), math.exp(0.1 / t + 2)]
    rest = [
        math.exp(0.7 / t + 2) + math.exp(0.2 / t + 3) + math.exp(0.4 / t + 0.5),
        math.exp(0.6 / t + 1) + math.exp(0.0 + 3) + math.exp(-0.1 / t + 4) + math.exp(0.2 / t + 0.5),
    ]
    expected = sum(-math.log(a / (a + b)) for a, b in zip(own, rest, strict=True)) / 2
    assert sampled_softmax(given, others, temperature=t).item() == pytest.approx(expected, rel=1e-5)

"""The gain of one model over another on the same pairs, counted on fingers and against the tables of an evaluation."""

import numpy as np
import pytest
from test_comparison import GRAPH, HELD_OUT, SETTINGS, TRAIN, Line, compared

from pinsage.evaluation.gains import hit_rate_gains
from pinsage.evaluation.views import split_views
from pinsage.pairs.pairs import HeldOutPairs

NO_PAIRS = HeldOutPairs(*(np.zeros(0, np.int32) for _ in range(3)))


def gains(ours, theirs, held_out=HELD_OUT):
    """The gains in the hit rate at 3."""
    return hit_rate_gains(
        ours, theirs, split_views("validation", held_out, TRAIN, GRAPH, SETTINGS), GRAPH, rank=3, seed=0
    )


def test_the_gain_is_that_of_the_evaluation():
    """Two of four pairs are hits on the line, one on its reverse; the interval is the one of the same draws."""
    gain = gains(Line(), Line(-1))["all"]
    lead = next(
        row
        for row in compared({"pinsage": Line(), "reverse": Line(-1)}).differences
        if (row.view, row.metric) == ("all", "hit_rate@3")
    )
    assert (gain.ours, gain.theirs, gain.value, gain.pairs) == (0.5, 0.25, 0.25, 4)
    assert (gain.low, gain.high) == pytest.approx((lead.low, lead.high))


def test_cold_pairs_have_a_gain_of_their_own():
    """Of the four pairs one touches pin 29, which has no save: the reverse finds it first."""
    gain = gains(Line(-1), Line())["cold"]
    assert (gain.ours, gain.theirs, gain.pairs) == (1.0, 0.0, 1)


def test_a_model_gains_nothing_over_itself():
    """In no draw."""
    assert {(gain.value, gain.low, gain.high) for gain in gains(Line(), Line()).values()} == {(0, 0, 0)}


def test_without_pairs_of_a_kind_there_is_no_gain():
    """Nothing held out, or nothing of it cold."""
    assert gains(Line(), Line(), NO_PAIRS) == {}
    warm = HeldOutPairs(*(np.array(column, np.int32) for column in ([0], [1], [1])))
    assert list(gains(Line(), Line(), warm)) == ["all"]

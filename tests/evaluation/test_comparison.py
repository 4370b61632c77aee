"""From methods and pairs to the table of metrics."""

import logging

import numpy as np
import pytest

from pinsage.evaluation.baselines import Similarity
from pinsage.evaluation.comparison import Split, compared, metrics_table, sampled_split, spread
from pinsage.pairs.pairs import Pairs
from pinsage.settings import EvaluateSettings

SETTINGS = EvaluateSettings(ranks=[1, 3], mrr_scale=2, max_pairs=50)


class Line:
    """Pins on a line: the nearer, the better, so ranks can be counted on fingers."""

    num_pins = 30

    def scores(self, queries):
        return -np.abs(np.arange(30, dtype=np.float32)[None] - queries[:, None])


def pairs(query, positive) -> Pairs:
    """Pairs from two lists."""
    return Pairs(np.array(query, np.int32), np.array(positive, np.int32))


NO_PINS = np.empty(0, np.int32)


def as_dict(metrics):
    """value by (method, split, metric)."""
    return {(row.method, row.split, row.metric): row.value for row in metrics}


def test_the_metrics_of_a_line_are_those_counted_by_hand():
    """From pin 0 the rank of pin p is p: ranks 1, 2, 4, of which the pair of rank 4 is cold."""
    split = sampled_split("test", pairs([0, 0, 0], [1, 2, 4]), np.array([4], np.int32), SETTINGS)
    found = as_dict(compared({"line": Line()}, [split], SETTINGS))
    assert found == {
        ("line", "test", "hit_rate@1"): pytest.approx(1 / 3),
        ("line", "test", "hit_rate@3"): pytest.approx(2 / 3),
        ("line", "test", "mrr"): pytest.approx((1 + 1 + 1 / 2) / 3),
        ("line", "test", "cold_hit_rate@10"): 1.0,
    }


@pytest.mark.parametrize(("cold", "marked"), [([0], [True, False]), ([2], [True, True]), ([], [False, False])])
def test_a_pair_is_cold_when_either_end_is(cold, marked):
    """The query or the positive."""
    split = sampled_split("test", pairs([0, 1], [2, 2]), np.array(cold, np.int32), SETTINGS)
    assert split.is_cold.tolist() == marked


def test_without_cold_pairs_there_is_no_cold_metric():
    """Absent, not zero."""
    split = sampled_split("test", pairs([0], [1]), NO_PINS, SETTINGS)
    assert "cold_hit_rate@10" not in {row.metric for row in compared({"line": Line()}, [split], SETTINGS)}


def test_a_split_without_pairs_is_said_and_left_out(caplog):
    """Nothing silently skipped."""
    splits = [sampled_split("validation", pairs([], []), NO_PINS, SETTINGS)]
    splits.append(sampled_split("test", pairs([0], [1]), NO_PINS, SETTINGS))
    with caplog.at_level(logging.WARNING):
        assert {row.split for row in compared({"line": Line()}, splits, SETTINGS)} == {"test"}
    assert "validation: 0 pairs" in caplog.text


def test_more_pairs_than_allowed_are_sampled_by_the_seed():
    """The same 50 of 400 twice, each of them a real pair; another seed draws others."""
    many = pairs(np.arange(400) % 20, np.arange(400) // 20)
    first, second = (sampled_split("test", many, NO_PINS, SETTINGS).pairs for _ in range(2))
    other = sampled_split("test", many, NO_PINS, SETTINGS.model_copy(update={"seed": 1})).pairs
    drawn = set(zip(first.query.tolist(), first.positive.tolist(), strict=True))
    assert len(drawn) == 50
    assert first.query.tolist() == second.query.tolist()
    assert first.query.tolist() != other.query.tolist()


def test_the_table_has_the_columns_of_the_data_model():
    """method, split, metric, value."""
    split = Split("test", pairs([0], [1]), np.array([False]))
    table = metrics_table(compared({"line": Line()}, [split], SETTINGS))
    assert table.schema.names == ["method", "split", "metric", "value"]
    assert table.num_rows == 3


def test_spread_is_the_kurtosis_over_pins_that_have_the_feature():
    """Two directions at right angles, half of the pins each: cosines 0 or 1, a coin, kurtosis -2; zero rows are out."""
    vectors = np.repeat(np.array([[1, 0], [0, 1], [0, 0]], np.float32), 100, axis=0)
    assert spread(Similarity(vectors), seed=0) == pytest.approx(-2, abs=0.05)
    assert spread(Similarity(np.zeros((5, 2), np.float32)), seed=0) == 0

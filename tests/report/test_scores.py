"""The page's table of methods, from rows worked out by hand."""

import pytest

from pinsage.report.scores import figure, headlines, score_table


def rows(*cells):
    """Rows of metrics.parquet from (method, split, metric, value)."""
    return [dict(zip(("method", "split", "metric", "value"), cell, strict=True)) for cell in cells]


METRICS = rows(
    ("pinsage", "validation", "mrr", 0.5),
    ("pinsage", "test", "mrr", 0.5),
    ("pinsage", "test", "hit_rate@100", 0.9),
    ("pinsage", "test", "hit_rate@10", 0.3),
    ("pinsage", "test", "cold_hit_rate@10", 0.0),
    ("visual", "test", "hit_rate@10", 0.2),
    ("visual", "test", "mrr", 0.6),
    ("popularity", "test", "hit_rate@10", 0.0),
)


def test_columns_go_from_test_to_validation_and_by_rank():
    """hit rates ascending, then MRR, then the cold slice."""
    table = score_table(METRICS)
    assert [(column.split, column.metric) for column in table.columns] == [
        ("test", "hit_rate@10"), ("test", "hit_rate@100"), ("test", "mrr"), ("test", "cold_hit_rate@10"),
        ("validation", "mrr"),
    ]  # fmt: skip
    assert table.splits == ["test", "validation"]
    assert table.num_columns("test") == 4
    assert table.has_cold


def test_bars_are_shares_of_the_best_and_pinsage_comes_last():
    """0.2 of 0.3 is two thirds; a missing figure is None, a zero is a figure."""
    table = score_table(METRICS)
    assert [row.method for row in table.rows] == ["visual", "popularity", "pinsage"]
    visual, popularity, pinsage = (row.cells for row in table.rows)
    assert visual[0].share == pytest.approx(0.667)
    assert (visual[0].is_best, pinsage[0].is_best) == (False, True)
    assert visual[1] is None
    assert (popularity[0].text, popularity[0].share, popularity[0].is_best) == ("0.00 %", 0, False)


def test_a_column_of_zeros_has_no_best():
    """Nothing is best at finding nothing."""
    cold = score_table(METRICS).rows[-1].cells[3]
    assert not cold.is_best


def test_headlines_compare_with_the_best_other_method():
    """More or less, the figure is set against the strongest rival."""
    first, second, cold = headlines(METRICS, 7)
    assert (first.figure, first.note) == ("30.0 %", "1.50 × Visual, the best other method (20.0 %)")
    assert second.note.startswith("0.83 × Visual")
    assert "no other method" in cold.note
    assert "7 pairs" in cold.note


def test_a_rival_at_zero_is_not_divided_by():
    """A tiny data set."""
    found = headlines(rows(("pinsage", "test", "mrr", 0.1), ("visual", "test", "mrr", 0.0)), 0)
    assert found[0].note == "against Visual, the best other method (0.000)"


def test_without_test_pairs_there_are_no_headlines():
    """And the table is empty without metrics."""
    assert headlines(rows(("pinsage", "validation", "mrr", 0.5)), 0) == []
    assert score_table([]).rows == ()


@pytest.mark.parametrize(("value", "text"), [(0.67, "67.0 %"), (0.1, "10.0 %"), (0.0055, "0.55 %"), (1, "100.0 %")])
def test_small_rates_get_one_more_digit(value, text):
    """Differences below 10 % are in the second digit."""
    assert figure("hit_rate@10", value) == text

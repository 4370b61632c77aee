"""The page's table of methods and its conclusion, from rows worked out by hand."""

import pytest

from pinsage.report.scores import best_simple, conclusion, figure, headlines, score_table


def rows(*cells):
    """Rows of metrics.parquet from (method, split, view, metric, value); intervals are a hundredth on either side."""
    names = ("method", "split", "view", "metric", "value")
    found = [dict(zip(names, cell, strict=True)) for cell in cells]
    return [{**row, "low": row["value"] - 0.01, "high": row["value"] + 0.01} for row in found]


METRICS = rows(
    ("pinsage", "validation", "all", "hit_rate@10", 0.5),
    ("pinsage", "test", "all", "scaled_mrr", 0.5),
    ("pinsage", "test", "all", "hit_rate@100", 0.9),
    ("pinsage", "test", "all", "hit_rate@10", 0.3),
    ("pinsage", "test", "all", "ndcg@10", 0.3),
    ("pinsage", "test", "all", "cold_hit_rate@10", 0.0),
    ("pinsage", "test", "new", "hit_rate@10", 0.1),
    ("pinsage", "test", "board", "recall@20", 0.2),
    ("visual", "test", "all", "hit_rate@10", 0.2),
    ("visual", "test", "all", "scaled_mrr", 0.6),
    ("item_knn", "test", "all", "hit_rate@10", 0.25),
    ("rp3beta", "test", "all", "hit_rate@10", 0.24),
    ("popularity", "test", "all", "hit_rate@10", 0.0),
)


def lead(value, low, high):
    """PinSage's difference to each method."""
    row = {"split": "test", "view": "all", "metric": "hit_rate@10", "value": value, "low": low, "high": high}
    return [{**row, "method": method} for method in ("visual", "item_knn")]


def test_columns_go_from_all_pairs_to_boards_and_by_rank():
    """Hit rates ascending, then MRR, then the cold slice; test alone, and not every metric there is."""
    table = score_table(METRICS)
    assert [(column.view, column.metric) for column in table.columns] == [
        ("all", "hit_rate@10"), ("all", "hit_rate@100"), ("all", "scaled_mrr"), ("all", "cold_hit_rate@10"),
        ("new", "hit_rate@10"), ("board", "recall@20"),
    ]  # fmt: skip
    assert table.views == ["all", "new", "board"]
    assert table.num_columns("all") == 4
    assert table.has_cold


def test_the_methods_that_matter_have_pinsage_last_and_its_best_rival_beside_it():
    """RP3beta is weaker than item-kNN and not of the paper: it is among all methods only."""
    assert [row.method for row in score_table(METRICS).rows] == ["visual", "popularity", "item_knn", "pinsage"]
    assert "rp3beta" in {row.method for row in score_table(METRICS, all_methods=True).rows}


def test_bars_are_shares_of_the_best():
    """0.2 of 0.3 is two thirds; a missing figure is None, a zero is a figure."""
    visual, popularity, _, pinsage = (row.cells for row in score_table(METRICS).rows)
    assert visual[0].share == pytest.approx(0.667)
    assert (visual[0].is_best, pinsage[0].is_best) == (False, True)
    assert pinsage[0].interval == "29.0–31.0"
    assert visual[1] is None
    assert (popularity[0].text, popularity[0].share, popularity[0].is_best) == ("0.00 %", 0, False)


def test_a_column_of_zeros_has_no_best():
    """Nothing is best at finding nothing."""
    assert not score_table(METRICS).rows[-1].cells[3].is_best


def test_the_best_simple_method_is_the_best_of_all_pairs():
    """By the deciding hit rate, PinSage aside."""
    assert best_simple(METRICS) == "item_knn"
    assert best_simple(METRICS[:1]) == ""


@pytest.mark.parametrize(
    ("interval", "outcome", "words"),
    [
        ((0.05, 0.02, 0.08), "wins", "is worth it on these pins: it beats Item-kNN"),
        ((0.05, -0.02, 0.08), "tied", "Item-kNN, the best simple method, cannot be told apart"),
        ((-0.05, -0.08, -0.02), "loses", "is not worth it on these pins: Item-kNN, a simple method, beats it"),
    ],
)
def test_the_verdict_is_that_of_the_interval_of_the_difference(interval, outcome, words):
    """Only an interval without 0 decides."""
    found = conclusion(METRICS, lead(*interval))
    assert found.outcome == outcome
    assert words in found.text
    assert "30.0 % against 25.0 %" in found.text
    assert f"{100 * interval[0]:+.2f} points (95 % interval {100 * interval[1]:+.2f} to" in found.text


def test_without_a_rival_or_test_pairs_there_is_no_verdict():
    """Nothing is said that was not measured."""
    assert conclusion(METRICS, []) is None
    assert conclusion([], []) is None


def test_headlines_compare_with_the_best_other_method():
    """More or less, the figure is set against the strongest rival."""
    first, second, cold = headlines(METRICS)
    assert first.figure == "30.0 %"
    assert first.note == "95 % interval 29.0–31.0; 1.20 × Item-kNN, the best other method (25.0 %)"
    assert "0.83 × Visual" in second.note
    assert "no other method" in cold.note


def test_a_rival_at_zero_is_not_divided_by():
    """A tiny data set."""
    found = headlines(rows(("pinsage", "test", "all", "mrr", 0.1), ("pinsage", "test", "all", "scaled_mrr", 0.1),
                           ("visual", "test", "all", "scaled_mrr", 0.0)))  # fmt: skip
    assert found[0].note.endswith("against Visual, the best other method (0.000)")


def test_without_test_pairs_there_are_no_headlines():
    """And the table is empty without metrics."""
    assert headlines(METRICS[:1]) == []
    assert score_table([]).rows == ()


@pytest.mark.parametrize(("value", "text"), [(0.67, "67.0 %"), (0.1, "10.0 %"), (0.0055, "0.55 %"), (1, "100.0 %")])
def test_small_rates_get_one_more_digit(value, text):
    """Differences below 10 % are in the second digit."""
    assert figure("hit_rate@10", value) == text

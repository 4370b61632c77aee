"""The summary of a comparison in words."""

import pytest

from pinsage.evaluation.variants import ComparedRow, Lead, SliceRow, Spread
from pinsage.report.comparison import ComparisonPage

HOSTILE = "<script>alert(1)</script>|"


def row(name, value, lead=None, **more):
    figures = {("all", "hit_rate@10"): Spread(value, 0.001), ("board", "recall@20"): Spread(0.5, None)}
    return ComparedRow(name, 3, figures, lead, **more)


@pytest.fixture
def page():
    """Three variants and a method."""
    rows = [
        row("full", 0.2),
        row("better", 0.3, Lead(0.1, 0.05, 0.15)),
        row(HOSTILE, 0.1, Lead(-0.1, -0.15, -0.05)),
        row("like", 0.2, Lead(0.0, -0.01, 0.01)),
        row("item_knn", 0.15, is_method=True),
    ]
    slices = [SliceRow("cold", "warm", 1200, {"full": Spread(0.21, 0.002), HOSTILE: Spread(0.11, None)})]
    missing = ["'like', seed 2 has no figures: run x did not end."]
    return ComparisonPage("4 variants on demo", rows, 10, missing, slices)


def test_the_story_says_what_is_ahead_and_what_behind(page):
    """One sentence."""
    assert page.story == (
        "By the hit rate at 10, 'better' is ahead of 'full'; "
        f"'{HOSTILE}' is behind 'full'; 'like' cannot be told from 'full'."
    )
    assert ComparisonPage("one", [row("full", 0.2)], 10).story == ""


def test_the_table_has_a_row_per_variant_and_method(page):
    """Mean, deviation and lead, with a column only for metrics that there are; a name breaks no cell."""
    text = page.markdown()
    assert "| full | 0.2000 ± 0.0010 | 0.5000 |  |" in text
    assert "| better | 0.3000 ± 0.0010 | 0.5000 | +0.1000 (+0.0500 to +0.1500) |" in text
    assert "| Item-kNN | 0.1500" in text
    assert "seed 2 has no figures" in text
    rows = [line for line in text.partition("seed 2")[0].splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


def test_the_page_runs_nothing_and_fetches_nothing(page):
    """Names are text, bars are shares of the best row."""
    html = page.html()
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert "http" not in html.replace("http-equiv", "")
    assert "--share:1.0" in html
    assert "--share:0.6667" in html


def test_parts_of_the_pairs_have_a_figure_for_every_variant(page):
    """In their order, none where a variant's pairs are others; simple methods are left out."""
    assert "| both pins are warm | 1,200 | 0.2100 ± 0.0020 | – | 0.1100 | – |" in page.markdown()
    html = page.html()
    assert "<td>both pins are warm</td><td>1,200</td><td>0.2100 ± 0.0020</td>" in html
    parts = [("query", "cold"), ("positive_degree", "2-2"), ("board_size", "3-9")]
    named = [page.part(SliceRow(*part, 1, {})) for part in parts]
    assert named == ["the query is cold", "the positive has 2 saves", "the board has 3-9 pins"]
    assert "By part of the pairs" not in ComparisonPage("one", [row("full", 0.2)], 10).html()

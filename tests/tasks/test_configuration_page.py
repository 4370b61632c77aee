"""Every setting is documented, and the page is what the code says."""

from pathlib import Path

import pytest

from pinsage.settings.schema import Settings
from tasks.command_line.config_reference import markdown_page, setting_rows

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
ROWS = {row.name: row for section in Settings.model_fields for row in setting_rows(section)}


def test_the_page_is_up_to_date():
    """A change of a setting or of a preset changes the page with it."""
    advice = "docs/configuration.md is out of date. Run: pinsage config schema --markdown > docs/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == markdown_page(), advice


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_setting_says_what_it_means(row):
    """A setting without a description would be a riddle in the trigger form as well."""
    assert row.meaning.endswith(".") or row.meaning.endswith(").")
    assert row.type


def test_bounds_defaults_and_choices_are_in_words():
    """One setting of each kind, as the page shows it."""
    assert (ROWS["walk.restart"].default, ROWS["walk.restart"].bounds) == ("0.5", "≥ 0, < 1")
    assert (ROWS["train.margin"].type, ROWS["train.margin"].bounds) == ("number", "> 0, ≤ 2")
    assert (ROWS["evaluate.ranks"].type, ROWS["evaluate.ranks"].bounds) == ("list of integer", "each ≥ 1")
    assert (ROWS["model.pooling"].type, ROWS["model.pooling"].bounds) == ("choice", "`importance`, `mean`, `max`")
    assert (ROWS["data.as_of"].type, ROWS["data.as_of"].default) == ("date-time or empty", "")


def test_a_setting_that_only_says_where_or_how_decides_nothing():
    """The page tells which settings make artifacts again."""
    assert ROWS["walk.num_walks"].decides
    assert not ROWS["walk.num_partitions"].decides
    assert not ROWS["tracking.uri"].decides


def test_presets_are_shown_with_what_they_change(tmp_path):
    """The comment at the top of a preset is its description."""
    (tmp_path / "tiny.yaml").write_text("# For a look.\nwalk:\n  num_walks: 7\n")
    assert "### conf/tiny.yaml\n\nFor a look.\n\n| setting | value |\n|---|---|\n| `walk.num_walks` | `7` |\n" in (
        markdown_page(tmp_path)
    )

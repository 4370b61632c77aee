"""The table of trials in docs/reliability.md is what the kept results say, and names tests that there are."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = runpy.run_path(str(ROOT / "benchmarks" / "reliability.py"))
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    """A result that was kept, or a trial that was changed, changes the page with it."""
    advice = "docs/reliability.md is out of date. Run: python benchmarks/reliability.py --page"
    shown = PAGE.partition(PROGRAM["BEGIN"])[2].partition(PROGRAM["END"])[0]
    assert shown == PROGRAM["table"](PROGRAM["read_results"]()), advice


def test_a_figure_that_was_not_reached_holds_in_part_alone():
    """Nothing holds by silence."""
    trial, result = next(each for each in PROGRAM["TRIALS"] if each.name == "T15"), PROGRAM["Result"]
    assert PROGRAM["verdict"](trial, result(trial.asked, "", "")) == "holds"
    assert PROGRAM["verdict"](trial, result(trial.asked - 1, "", "")) == "in part"
    results, is_open = PROGRAM["read_results"](), PAGE.partition("## What is not shown")[2]
    short = [
        each.name for each in PROGRAM["TRIALS"] if each.name in results and results[each.name].reached < each.asked
    ]
    assert [name for name in short if f"{name} " not in is_open] == []


@pytest.mark.parametrize("trial", PROGRAM["TRIALS"], ids=lambda trial: trial.name)
def test_every_test_of_a_trial_is_there(trial):
    """In tests/, as a file or a folder."""
    assert [path for path in trial.tests if not (ROOT / "tests" / path).exists()] == []

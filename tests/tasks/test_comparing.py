"""The runs of a comparison: what is planned, and what is refused before anything runs."""

import pytest

from pinsage.errors import SettingsError
from pinsage.settings.loading import flat, load_settings
from tasks.command_line.compare import comparison_asked
from tasks.comparing.plan import LADDERS, Comparison, needed_for, planned_runs
from tasks.stages import STAGES

SHARED = {"data.dataset": "/data", "model.hidden_dim": 16}
WIDE = {"wide": {"model.hidden_dim": 32}}


@pytest.mark.parametrize("ladder", LADDERS)
def test_every_ladder_is_of_settings_that_there_are(ladder):
    """Each variant and seed is a run with settings of its own, and an id of its own."""
    runs = planned_runs("c", Comparison(ladder, WIDE, [0, 7]), SHARED)
    assert len({run.run_id for run in runs}) == len(runs) == 2 * (len(LADDERS[ladder]) + 1)
    settings = [load_settings(None, {**SHARED, **run.overrides}) for run in runs]
    assert len({repr(flat(found)) for found in settings}) == len(runs)
    assert [(found.train.seed, found.walk.seed) for found in settings[:2]] == [(0, 0), (7, 7)]
    assert all(run.run_id.startswith("c~") for run in runs)


def test_the_simple_methods_are_scored_once():
    """Beside the first run; all others score PinSage alone."""
    runs = planned_runs("c", Comparison("", {"full": {}, **WIDE}, [0, 1]), SHARED)
    assert [run.overrides.get("evaluate.methods") for run in runs] == [None, [], [], []]


def test_the_same_request_plans_the_same_runs():
    """A retry and the summary find what was run."""
    asked = Comparison("levers", WIDE, [2, 1])
    assert planned_runs("c", asked, SHARED) == planned_runs("c", asked, SHARED)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Comparison("stairs"), "no ladder 'stairs'.*levers"),
        (Comparison("", {}), "nothing to compare"),
        (Comparison("levers", {}, []), "0 seeds"),
        (Comparison("levers", {}, [1, 1]), "Seed 1 is there twice"),
        (Comparison("levers", {}, [-1]), r"\[-1\].*whole numbers"),
        (Comparison("levers", {}, range(100)), "more than 200 runs"),
        (Comparison("", {"a": {"model.hiden_dim": 1}}), "Variant 'a':.*hiden_dim"),
        (Comparison("", {"a": {"model.hidden_dim": -1}}), "Variant 'a':.*hidden_dim"),
        (Comparison("", {"a": 3}), "Variant 'a' is int, not an object"),
        (Comparison("as they are", {"again": {"model.hidden_dim": 16}}), "'full' and 'again' are the same settings"),
        (Comparison("", {"a b": {}, "a.b": {"model.hidden_dim": 32}}), "too much alike"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(asked, words):
    """Which variant, and what to do."""
    with pytest.raises(SettingsError, match=words):
        planned_runs("c", asked, SHARED)


def test_a_comparison_is_read_from_a_command_line():
    """Variants with several settings, and seeds with commas."""
    asked = comparison_asked("table 4", ["wide: model.hidden_dim=512 train.steps=9", "max:model.pooling=max"], "3, 4,")
    assert asked.variants == {"wide": {"model.hidden_dim": 512, "train.steps": 9}, "max": {"model.pooling": "max"}}
    assert (asked.ladder, asked.seeds) == ("table 4", [3, 4])


@pytest.mark.parametrize(
    ("variants", "seeds", "words"),
    [(["wide"], "0", "'wide' cannot be read"), (["a: "], "0", "'a: ' cannot"), ([], "one", "seeds 'one'")],
)
def test_options_that_cannot_be_read_are_named(variants, seeds, words):
    """With an example of what can."""
    with pytest.raises(SettingsError, match=words):
        comparison_asked("", variants, seeds)


def test_an_evaluation_needs_neither_index_nor_report():
    """The stages of a compared run, in the pipeline's order."""
    stages = needed_for("evaluate")
    assert set(STAGES) - set(stages) == {"index", "compare_days", "report", "promote", "approve", "release"}
    assert stages == [name for name in STAGES if name in stages]

"""Checks are pure: a value, a limit, a verdict and a sentence with both; and all of them lead to one decision."""

import pytest

from pinsage.evaluation.gains import Gain
from pinsage.promotion.checks import (
    Check,
    canary_check,
    catalog_checks,
    churn_check,
    finite_check,
    gain_check,
    not_compared,
    recall_check,
    recorded_gain_check,
    spread_check,
)
from pinsage.promotion.verdict import decide, decision_tags
from pinsage.release.contents import ModelVersion

CHALLENGER = ModelVersion("pinsage-demo-1a2b", 2)
GOOD, BAD = Check("spread", True, "Fine."), Check("churn", False, "Too much.", 0.99, 0.95)


@pytest.mark.parametrize(
    ("value", "half", "least", "passed"),
    [
        (0.02, 0.01, 0.0, True), (-0.005, 0.01, 0.0, True), (-0.02, 0.01, 0.0, False),  # noise is forgiven, a loss not
        (0.0, 0.0, 0.0, True), (-0.06, 0.01, -0.05, True), (-0.07, 0.01, -0.05, False),
        (0.04, 0.02, 0.05, False), (0.06, 0.02, 0.05, True),  # a gain that is asked for must be there
    ],
)  # fmt: skip
def test_a_loss_within_its_interval_is_no_loss(value, half, least, passed):
    """The gain at 0.30, its interval, and the limit."""
    gain = Gain(0.3 + value, 0.3, value - half, value + half, pairs=1200)
    check = gain_check("validation", gain, least, "champion 1, scored again")
    assert (check.passed, check.limit) == (passed, least)
    assert "on 1,200 validation pairs" in check.sentence
    assert f"against 0.3000 of champion 1, scored again: a gain of {value:+.4f}" in check.sentence


@pytest.mark.parametrize(("ours", "passed"), [(0.31, True), (0.30, True), (0.29, False)])
def test_without_common_queries_the_recorded_figure_decides(ours, passed):
    """And the sentence says why it had to."""
    check = recorded_gain_check("validation", ours, 0.3, 0.0, "The run is gone")
    assert check.passed is passed
    assert "that the champion had when it was trained" in check.sentence
    assert check.sentence.endswith("The run is gone.")


@pytest.mark.parametrize(("ours", "theirs"), [(None, 0.3), (0.3, None)])
def test_a_figure_that_was_never_measured_compares_nothing(ours, theirs):
    """Without new pins there is no cold hit rate."""
    check = recorded_gain_check("cold_start", ours, theirs, 0.0, "The run is gone")
    assert (check.passed, check.value) == (True, None)
    assert check.sentence.startswith("Not compared: The run is gone, and one of the two has no recorded figure")


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (recall_check(0.95, 0.9), True), (recall_check(0.85, 0.9), False), (recall_check(None, 0.9), True),
        (churn_check(0.3, 0.5), True), (churn_check(0.6, 0.5), False), (churn_check(None, 0.5), True),
        (finite_check(0, 9), True), (finite_check(1, 9), False),
        (spread_check(0.8, 0.05), True), (spread_check(0.01, 0.05), False),
        (canary_check(2, []), True), (canary_check(2, ["'b' is not among the first 10 of 'a'."]), False),
    ],
)  # fmt: skip
def test_each_limit_refuses_and_lets_pass(check, passed):
    """A verdict on either side of each limit, and none where there is nothing to compare."""
    assert check.passed is passed


def test_a_shrunken_catalog_is_found_by_each_of_its_counts():
    """A table that was exported by half fails alone; one that the champion had nothing of is not compared."""
    before = {"pins": 100, "saves": 1000, "pictures": 90, "words": 0}
    checks = {check.name: check for check in catalog_checks({**before, "saves": 500, "words": 7}, before, 0.8)}
    assert {name: check.passed for name, check in checks.items()} == {
        "pins": True, "saves": False, "pictures": True, "words": True,
    }  # fmt: skip
    assert checks["saves"].sentence == "There are 500 saves, 50.0% of the champion's 1,000, where 80.0% is asked for."
    assert checks["words"].value is None


def test_all_checks_must_pass():
    """One that fails refuses, and the reason holds its sentence."""
    promoted, refused = decide(CHALLENGER, 1, [GOOD]), decide(CHALLENGER, 1, [GOOD, BAD], by="run r2")
    assert (promoted.kind, promoted.promotes, refused.kind, refused.promotes) == ("promoted", True, "refused", False)
    assert refused.reason == "Not promoted. Against champion 1, 1 of 2 checks failed. churn: Too much."
    assert (refused.model, refused.version, refused.champion, refused.by) == ("pinsage-demo-1a2b", 2, 1, "run r2")


def test_an_override_promotes_and_keeps_what_failed():
    """A person's reason stands before the figures; where nothing failed nothing is overridden."""
    decision = decide(CHALLENGER, 1, [GOOD, BAD], override_reason="The old one shows a sold-out brand.")
    assert (decision.kind, decision.promotes) == ("override", True)
    assert "because: The old one shows a sold-out brand. 1 of 2 checks failed. churn: Too much." in decision.reason
    assert decide(CHALLENGER, 1, [GOOD], override_reason="Whatever").kind == "promoted"


def test_the_first_version_is_checked_by_itself_alone():
    """There is nothing to beat."""
    assert decide(CHALLENGER, None, [GOOD]).reason == "Promoted. There was no champion, all 1 checks passed."


def test_a_reason_stays_short_and_the_tags_hold_every_check():
    """MLflow's page of the version shows each verdict."""
    decision = decide(CHALLENGER, 1, [Check(f"c{number}", False, "No.") for number in range(5)])
    assert decision.reason.endswith("c2: No. And 2 more.")
    assert decision_tags(decision)["pinsage.check.c4"] == "failed: No."
    assert decision_tags(decision)["pinsage.decision_kind"] == "refused"
    assert not_compared("churn", "no pins").passed

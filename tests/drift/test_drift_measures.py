"""Measures are pure: a change is unusual where both earlier runs say so, and its sentence names values and setting."""

import pytest

from pinsage.drift.measures import assess, unusual, worst
from pinsage.settings.live import DriftSettings

SETTINGS = DriftSettings()


def verdict(name: str, change: float | None, champion: float | None = None, settings=SETTINGS):
    """The verdict on one measure."""
    before, since_champion = ({} if value is None else {name: value} for value in (change, champion))
    return next(each for each in assess({}, before, since_champion, settings) if each.name == name).verdict


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("pins", -0.04, "steady"), ("pins", -0.06, "warning"), ("pins", -0.6, "stop"), ("saves", 0.4, "steady"),
        ("saves", 0.6, "warning"), ("pictures", -0.04, "steady"), ("pictures", -0.1, "warning"),
        ("pictures", -0.9, "stop"), ("pictures", 0.9, "steady"), ("words", -0.1, "warning"),
        ("vocabulary", 0.05, "steady"), ("vocabulary", 0.2, "warning"), ("degrees", 0.1, "steady"),
        ("looks", 0.3, "warning"), ("word_use", 9.0, "warning"), ("embeddings", 0.1, "steady"),
        ("embeddings", 0.3, "warning"), ("churn", 0.5, "steady"), ("churn", 0.9, "warning"),
        ("quarantine/saves/unknown pin_id", 0.005, "steady"), ("quarantine/saves/unknown pin_id", 0.02, "warning"),
        ("quarantine/saves/unknown pin_id", -0.9, "steady"),
    ],
)  # fmt: skip
def test_each_measure_has_its_limits(name, change, expected):
    """Beyond them it warns or stops, within them and in the harmless direction it is steady."""
    assert verdict(name, change) == expected


def test_what_is_unlike_one_of_the_two_runs_alone_is_steady():
    """The day on which an error is corrected, and the day after a change that stays."""
    assert verdict("looks", 0.9, 0.01) == verdict("looks", 0.01, 0.9) == "steady"
    assert verdict("pictures", -0.9, -0.1) == "warning"


def test_without_an_earlier_run_nothing_is_compared():
    """Neither good nor bad."""
    measures = assess({"pins": 40.0}, {}, {}, SETTINGS)
    assert worst(measures) == "not compared"
    assert measures[0].sentence == "Pins 40: nothing to compare with."


def test_zero_is_no_limit():
    """A limit that is 0 neither warns nor stops."""
    none = DriftSettings(warn_fall=0, stop_fall=0, warn_growth=0)
    assert verdict("pins", -1.0, settings=none) == verdict("pins", 9.0, settings=none) == "steady"


def test_the_sentence_names_values_limit_and_setting():
    """The worst verdict of all is that of the run."""
    measures = assess({"saves": 920.0}, {"saves": -0.08, "degrees": 0.01}, {"saves": -0.1}, SETTINGS)
    assert worst(measures) == "warning"
    assert unusual(measures, "warning") == [
        "saves: Saves 920: -8 % since the run before and -10 % since the champion's run, where 5 % may be "
        "(drift.warn_fall)."
    ]


def test_a_rise_in_number_names_its_own_limit():
    """Growth has a limit of its own."""
    (sentence,) = unusual(assess({}, {"saves": 0.7}, {}, SETTINGS), "warning")
    assert sentence.endswith("where 50 % may be (drift.warn_growth).")

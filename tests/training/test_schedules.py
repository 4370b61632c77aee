"""Learning rate and curriculum, step by step."""

import pytest

from pinsage.settings.schema import TrainSettings
from pinsage.training.schedule import hard_negatives_at, learning_rate_at, peak_rate


def test_the_curriculum_adds_one_hard_negative_per_stage():
    """Nine steps, at most two: three stages of three."""
    settings = TrainSettings(steps=9, max_hard_negatives=2)
    assert [hard_negatives_at(step, settings) for step in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_without_the_curriculum_every_step_draws_the_most():
    """From the first step on."""
    settings = TrainSettings(steps=9, max_hard_negatives=2, curriculum=False)
    assert [hard_negatives_at(step, settings) for step in range(9)] == [2] * 9


@pytest.mark.parametrize(("steps", "most"), [(1, 6), (3, 6), (1000, 6), (10, 0)])
def test_the_curriculum_stays_in_its_bounds(steps, most):
    """It begins with none, never falls, and never passes the most."""
    settings = TrainSettings(steps=steps, max_hard_negatives=most)
    counts = [hard_negatives_at(step, settings) for step in range(steps)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert max(counts) <= most


def test_the_rate_rises_linearly_then_decays_exponentially():
    """Two steps up to 1, then a constant factor per step down to 0.1."""
    settings = TrainSettings(steps=5, warmup_share=0.4, learning_rate=1.0, final_rate_share=0.01)
    rates = [learning_rate_at(step, settings) for step in range(5)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.1, 0.01])


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup_share", [0.0, 0.5, 0.99])
def test_the_rate_of_a_very_short_training_is_positive(steps, warmup_share):
    """No division by zero at either end."""
    settings = TrainSettings(steps=steps, warmup_share=warmup_share)
    assert all(0 < learning_rate_at(step, settings) <= settings.learning_rate for step in range(steps))


def test_the_rate_grows_with_the_batch_it_is_meant_for():
    """Twice the pairs of the batch that the rate was chosen for: twice the rate (linear scaling)."""
    settings = TrainSettings(learning_rate=0.01, batch_size=512, rate_batch_size=256)
    assert peak_rate(settings) == pytest.approx(0.02)
    assert peak_rate(settings.model_copy(update={"rate_batch_size": 0})) == pytest.approx(0.01)

"""The population stability index: nothing for what is in proportion, more the more differs."""

import numpy as np
import pytest

from pinsage.drift.psi import degree_histogram, stability_index


def test_counts_in_proportion_have_no_index():
    """A day with twice the saves is the same distribution."""
    assert stability_index([100, 200, 700], [200, 400, 1400]) == pytest.approx(0, abs=1e-4)


def test_the_index_is_that_of_the_formula():
    """Σ (p - q) ln(p / q), by hand; the prior of half a count is too small to be seen here."""
    expected = (0.75 - 0.5) * np.log(0.75 / 0.5) + (0.25 - 0.5) * np.log(0.25 / 0.5)
    assert stability_index([500_000, 500_000], [750_000, 250_000]) == pytest.approx(expected, rel=1e-4)


def test_an_emptied_bin_counts_and_is_finite():
    """A category of 8 % that vanishes passes the limit of a warning."""
    index = stability_index([800, *[767] * 12], [0, *[767] * 12])
    assert 0.2 < index < 2


def test_the_index_is_symmetric():
    """Which of the two days came first does not matter."""
    one, other = [10, 40, 50], [30, 30, 40]
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))


def test_degrees_fall_into_powers_of_two():
    """0, 1, 2-3, 4-7, ..."""
    histogram = degree_histogram(np.array([0, 0, 1, 2, 3, 4, 7, 8, 2**40]))
    assert histogram[:5] == [2, 1, 2, 2, 1]
    assert (histogram[-1], sum(histogram), len(histogram)) == (1, 9, 32)

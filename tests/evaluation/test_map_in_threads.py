"""Methods that are worked on at the same time."""

import threading

import pytest

from pinsage.evaluation.threads import map_in_threads


def test_results_come_in_the_order_of_the_items():
    """Whichever ends first."""
    assert map_in_threads(lambda number: number * number, range(9)) == [number * number for number in range(9)]


def test_two_are_under_way_together(monkeypatch):
    """Each waits for the other, so that one after the other would never end."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(map_in_threads(lambda name: meeting.wait() >= 0 and name, ["a", "b"])) == ["a", "b"]


def test_an_error_comes_back():
    """As it was raised."""
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda number: 1 // number, [1, 0])

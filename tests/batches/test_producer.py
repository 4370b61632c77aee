"""The threads that build minibatches ahead."""

import signal
import threading
import time
import weakref

import pytest

from pinsage.batches.producer import BatchProducer


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batch-producer")]


def test_batches_arrive_in_the_order_of_their_steps():
    """One per step, from the first to the last."""
    with BatchProducer(lambda step: step * 10, first=3, last=7) as producer:
        assert list(producer) == [30, 40, 50, 60]
    assert threads() == []


@pytest.mark.parametrize("num_producers", [1, 2, 5])
def test_several_threads_keep_the_order_whichever_is_first(num_producers):
    """Early steps take longest here, so that later ones are finished before them."""

    def build(step):
        time.sleep(0.02 / (1 + step % 4))
        return step

    with BatchProducer(build, first=2, last=30, num_producers=num_producers) as producer:
        assert list(producer) == list(range(2, 30))
    assert threads() == []


def test_the_threads_work_at_the_same_time():
    """Three builds that wait for one another end only if three threads are in them at once."""
    together = threading.Barrier(3)
    with BatchProducer(lambda step: together.wait(timeout=10), first=0, last=3, num_producers=3) as producer:
        assert sorted(producer) == [0, 1, 2]


@pytest.mark.parametrize("num_producers", [1, 2])
def test_the_producer_works_ahead_but_not_too_far(num_producers):
    """While the consumer uses step 0, steps up to `ahead` are built, and no more."""
    built = []
    with BatchProducer(built.append, first=0, last=100, ahead=3, num_producers=num_producers) as producer:
        next(iter(producer))
        deadline = time.monotonic() + 5
        while len(built) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert sorted(built) == [0, 1, 2, 3]


@pytest.mark.parametrize("num_producers", [1, 4])
def test_an_error_surfaces_at_its_step_with_its_own_message(num_producers):
    """After the good minibatches before it, even if they are finished later; nothing hangs."""

    def build(step):
        if step == 2:
            raise OSError("the disk is gone")
        time.sleep(0.02)
        return step

    with BatchProducer(build, first=0, last=9, num_producers=num_producers) as producer:
        seen = []
        with pytest.raises(OSError, match="the disk is gone"):
            seen.extend(producer)
        assert seen == [0, 1]
    assert threads() == []


@pytest.mark.parametrize("num_producers", [1, 3])
def test_leaving_early_ends_the_threads(num_producers):
    """A consumer that fails leaves no thread behind, even ones that wait for room."""
    with (
        pytest.raises(KeyError),
        BatchProducer(lambda step: step, first=0, last=10**9, num_producers=num_producers) as producer,
    ):
        next(iter(producer))
        raise KeyError("consumer")
    assert threads() == []
    assert list(producer) == []


def test_a_signal_reaches_a_consumer_that_waits():
    """A handler's exception ends the wait for a minibatch, and the threads with it."""

    def interrupted(number, frame):
        raise TimeoutError("told to end")

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        with pytest.raises(TimeoutError), BatchProducer(lambda step: time.sleep(0.5), first=0, last=9) as producer:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            list(producer)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert threads() == []


def test_a_minibatch_in_use_is_all_that_the_consumer_holds():
    """What has been used is let go of: with `ahead` = 1 no more than three minibatches are alive."""
    alive, most = weakref.WeakSet(), 0

    class Batch:
        def __init__(self):
            alive.add(self)

    with BatchProducer(lambda step: Batch(), first=0, last=50, ahead=1) as producer:
        for _ in producer:
            most = max(most, len(alive))
    assert most <= 3


def test_waiting_is_measured():
    """A slow producer shows in wait_s."""
    with BatchProducer(lambda step: time.sleep(0.05), first=0, last=4) as producer:
        list(producer)
    assert 0.1 < producer.wait_s < 2

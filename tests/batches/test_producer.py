"""The thread that builds minibatches ahead."""

import threading
import time

import pytest

from pinsage.batches.producer import BatchProducer


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batch-producer")]


def test_batches_arrive_in_the_order_of_their_steps():
    """One per step, from the first to the last."""
    with BatchProducer(lambda step: step * 10, first=3, last=7) as producer:
        assert list(producer) == [30, 40, 50, 60]
    assert threads() == []


def test_the_producer_works_ahead_but_not_too_far():
    """While the consumer computes, `ahead` batches wait and no more."""
    built = []
    with BatchProducer(lambda step: built.append(step) or step, first=0, last=100, ahead=2) as producer:
        batches = iter(producer)
        next(batches)
        deadline = time.monotonic() + 5
        while len(built) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert built == [0, 1, 2]


def test_an_error_of_the_producer_surfaces_with_its_own_message():
    """After the good batches; nothing hangs."""

    def minibatch(step):
        if step == 2:
            raise OSError("the disk is gone")
        return step

    with BatchProducer(minibatch, first=0, last=9) as producer:
        seen = []
        with pytest.raises(OSError, match="the disk is gone"):
            seen.extend(producer)
        assert seen == [0, 1]
    assert threads() == []


def test_leaving_early_ends_the_thread():
    """A consumer that fails leaves no thread behind, even one that is blocked on a full queue."""
    with pytest.raises(KeyError), BatchProducer(lambda step: step, first=0, last=10**9) as producer:
        next(iter(producer))
        raise KeyError("consumer")
    assert threads() == []


def test_waiting_is_measured():
    """A slow producer shows in wait_s."""
    with BatchProducer(lambda step: time.sleep(0.05), first=0, last=4) as producer:
        list(producer)
    assert 0.1 < producer.wait_s < 2

"""The memory of a tensor serves the next one."""

import platform
import subprocess
import sys

import pytest

from pinsage.training.device import keep_freed_memory, return_freed_memory

PAGES = 50_000_000 // 4096  # of the tensor below
# In a process of its own: what other tests have left in the heap would decide what is found there.
KEPT = """
import resource, torch
from pathlib import Path
from pinsage.training.device import keep_freed_memory, return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

faults = []
try:
    with keep_freed_memory():
        for _ in range(20):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            torch.ones(12_500_000)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        inside = resident()
        return_freed_memory()
        returned = inside - resident()
        torch.ones(12_500_000)
        inside = resident()
        raise KeyError
except KeyError:
    print(min(faults), returned, inside - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_is_kept_inside_the_block_and_given_back_after_it():
    """The next tensor of the same size meets no fresh pages; they are given back on request and at the end."""
    done = subprocess.run([sys.executable, "-c", KEPT], check=True, capture_output=True, text=True)
    faults, returned, given_back = map(int, done.stdout.split())
    assert faults < PAGES / 100
    assert returned > PAGES * 0.9
    assert given_back > PAGES * 0.9


def test_another_c_library_is_left_alone(monkeypatch):
    """Nothing is called that may not be there."""
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("called"))
    with keep_freed_memory():
        return_freed_memory()

"""What a benchmark ran on, how it stays there, and what memory it took. Standard library alone: peers import it."""

import importlib.metadata
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def described(*packages: str) -> str:
    """The processor, Python and the versions of packages, in one line."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages or ("numba", "numpy")]
    return f"{processor()}; Python {platform.python_version()}, {', '.join(versions)}"


def processor() -> str:
    """The processor's name and how many there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def pin_to_one_core() -> None:
    """Stay on the last core this process may use, so that figures are of one core and caches stay warm."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def cpu_seconds() -> float:
    """User and system seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_gib(pid: int | str = "self") -> float:
    """The largest resident memory of a process so far, maps included; 0 if it has ended.

    (`ru_maxrss` would begin at what the parent had when it forked.)
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20 if "VmHWM:" in status else 0.0


@contextmanager
def watched_children() -> Iterator[dict[int, float]]:
    """The peak in GiB of every child process that is seen while the block runs, by process id."""
    import psutil

    found: dict[int, float] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            for child in psutil.Process().children(recursive=True):
                found[child.pid] = max(found.get(child.pid, 0.0), peak_gib(child.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()

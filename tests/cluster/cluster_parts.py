"""What the tests send to workers: functions that work, fail, wait, and end their worker."""

import os
import signal
import time
from pathlib import Path

from pinsage.errors import DatasetError, PinSageError


def squared(number):
    return number * number


def process_id(number):
    return os.getpid()


def refused(number):
    if number == 2:
        raise DatasetError("Part two is malformed. Mend it.")
    return number


def broken(number):
    if number == 1:
        raise ValueError("no such luck")
    return number


def broken_once(folder, number):
    marker = Path(folder) / f"tried-{number}"
    if not marker.exists():
        marker.touch()
        raise PinSageError("The weather was bad. Try again.")
    return number


def poisonous(number):
    time.sleep(0.05)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def slow_process_id(number):
    time.sleep(0.1)
    return os.getpid()


def killed_twice(folder, number):
    """Leaves a file for each try; part 2 ends its worker the first two times."""
    tries = len(list(Path(folder).glob(f"{number}-*")))
    (Path(folder) / f"{number}-{tries}").touch()
    time.sleep(0.05)
    if number == 2 and tries < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def slow_square(folder, number):
    """Leaves the worker's process id in a file, waits for the first part to be interfered with, squares."""
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    time.sleep(1.5 if len(list(Path(folder).glob(f"{number}-*"))) == 1 else 0.0)
    return number * number

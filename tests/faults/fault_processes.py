"""Processes for trials of faults: each is forked from a server that has loaded what a stage loads, and nothing more.

Not forked from the tests themselves: their threads (of PyTorch, of fsspec) do not come along, and a child that waits
for one of them hangs.
"""

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest.mock import patch

from fail_points import Fault, fail_points, write_passed
from published_things import open_thing

from pinsage.errors import PinSageError
from pinsage.store import lease, remote
from pinsage.store.machine import machine_error

CONTEXT = multiprocessing.get_context("forkserver")
_AHEAD = "pytest torch._dynamo tasks.promote published_things tracked_run".split()
_AHEAD += ["mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"]
CONTEXT.set_forkserver_preload(_AHEAD)
TOLD, CRASHED = 3, 4  # exit codes: it said in a sentence why it failed; it did not
PATIENCE_S, LEASE_S = 0.3, 1.0  # in place of minutes


def start(target: Callable, *arguments: object) -> BaseProcess:
    """A process that calls a function of a module of tests, in the environment that this one has now."""
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # which the server does not get otherwise
        forkserver.ensure_running()
    process = CONTEXT.Process(target=_in_environment, args=(dict(os.environ), target, arguments))
    process.start()
    return process


def end(process: BaseProcess, timeout_s: float = 120.0) -> int:
    """The exit code of a process that ends by itself."""
    process.join(timeout_s)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"a process did not end within {timeout_s:.0f} s")
    return process.exitcode


def await_stop(process: BaseProcess) -> bool:
    """Wait until a process is stopped; returns False where it ended instead."""
    while process.is_alive():
        with suppress(FileNotFoundError):
            if Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T":
                return True
        time.sleep(0.005)
    return False


def publish(
    kind: str, home: Path, number: int, fault: Fault | None, words: str = "", names: Path | None = None
) -> None:
    """Publish a thing, as a process of its own; the names of the points that it passed go into the file `names`."""
    thing = open_thing(kind, home)
    with fail_points(fault) as passed:
        told_or_crashed(lambda: thing.publish(number, words))
    if names:
        write_passed(names, passed)


def told_or_crashed(work: Callable[[], object]) -> None:
    """Do the work; where it fails, end this process with TOLD if that is said in a sentence, else with CRASHED."""
    try:
        work()
    except Exception as error:
        told = error if isinstance(error, PinSageError) else machine_error(error)
        if told is None:
            traceback.print_exc()
        sys.exit(TOLD if told else CRASHED)


def _in_environment(environment: dict[str, str], target: Callable, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to Ctrl-C
    os.environ.clear()
    os.environ.update(environment)
    remote.PATIENCE_S, lease.LEASE_S = PATIENCE_S, LEASE_S
    target(*arguments)

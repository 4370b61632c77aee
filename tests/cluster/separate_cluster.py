"""A scheduler and workers as processes of their own on loopback, as on a cluster of other hosts."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def process(module, *arguments):
    """`python -m module arguments` for as long as the block lasts; it can import this project and these tests."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def scheduler_process(folder, host="127.0.0.1", options: Sequence[str] = ()):
    """A scheduler without workers: the process and its address."""
    file = folder / "scheduler.json"
    arguments = ("--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", file, *options)
    with process("distributed.cli.dask_scheduler", *arguments) as child:
        while not (file.exists() and file.read_text()) and child.poll() is None:
            time.sleep(0.05)
        yield child, re.search(r"\w+://[\d.:]+", file.read_text()).group()


@contextmanager
def worker_process(address, folder, options: Sequence[str] = ("--no-nanny",), threads=1):
    """A worker of that scheduler with a local folder of its own; by default nothing starts it again when it dies."""
    arguments = ("--nthreads", threads, "--no-dashboard", "--death-timeout", "20", "--local-directory", folder)
    with process("distributed.cli.dask_worker", address, *arguments, *options) as child:
        yield child


@contextmanager
def separate_cluster(folder, num_workers=2, threads=1, options: Sequence[str] = ("--no-nanny",)):
    """The address of a scheduler with workers."""
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler_process(folder))
        for number in range(num_workers):
            stack.enter_context(worker_process(address, folder / f"host{number}", options, threads))
        yield address

"""Several processes (ranks) that do one stage together: started by torchrun, listened to, told to end together.

A rank says what it has to say as a line on stdout: a mark and a JSON object. What others write there, torchrun among
them, is shown only when nobody said why things went wrong.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from pinsage.errors import InputError, PinSageError
from pinsage.progress import LogMetrics
from pinsage.store.manifest import Facts

ROOT = Path(__file__).parents[2]
MARK = "\x1e"
SHUTDOWN_S = 3  # Airflow kills a task five seconds after it asked it to end
_TAIL = 40

log = logging.getLogger(__name__)
Said = dict[str, Any]


def say(**what: Any) -> None:
    """Tell the process that listens to this rank."""
    sys.stdout.write(f"{MARK}{json.dumps(what)}\n")
    sys.stdout.flush()


class SayLines(logging.Handler):
    """Log lines of a rank, said to the process that listens."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say the line."""
        say(level=record.levelno, line=record.getMessage())


def done_together(module: str, arguments: list[str], *, count: int, log_metrics: LogMetrics) -> Facts:
    """Run `count` ranks, each `python -m MODULE ARGUMENTS MEETING`; return the facts that the first one reports.

    MEETING is a file in which they find each other. Log lines are logged here, metrics passed on as they come. SIGTERM
    is passed on to all ranks.

    Raises:
        PinSageError: a rank failed, in its own words; or died without a word, which a retry may survive.
    """
    log.info("%s on %d processes, started by torchrun", module, count)
    listener = _Listener(log_metrics)
    with TemporaryDirectory(prefix="pinsage-ranks-") as folder:
        process = _start(module, arguments, count, Path(folder))
        with process, _end_with_us(process) as was_told_to_end:
            for line in process.stdout or ():
                listener.hear(line.rstrip("\n"))
    return listener.outcome(process.returncode, count, was_told_to_end=was_told_to_end())


def _start(module: str, arguments: list[str], count: int, folder: Path) -> "subprocess.Popen[str]":
    """Start torchrun, which meets its ranks in files: its server would listen everywhere, and unpickle."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={count}",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={folder / 'torchrun'}", "--rdzv-conf=store_type=file",
        "--local-addr=127.0.0.1", f"--shutdown-timeout={SHUTDOWN_S}", "--monitor-interval=0.1",
        "-m", module, *arguments, str(folder / "ranks"),
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


class _Listener:
    """The messages of the ranks so far."""

    def __init__(self, log_metrics: LogMetrics) -> None:
        self._log_metrics = log_metrics
        self._error: Said | None = None
        self._facts: Facts | None = None
        self._unmarked: deque[str] = deque(maxlen=_TAIL)

    def hear(self, line: str) -> None:
        if not line.startswith(MARK):
            self._unmarked.append(line)
            return
        said: Said = json.loads(line.removeprefix(MARK))
        if "line" in said:
            log.log(said["level"], "%s", said["line"])
        elif "metrics" in said:
            self._log_metrics(said["metrics"], said["step"])
        elif "facts" in said:
            self._facts = said["facts"]
        elif self._error is None:  # the others' errors follow from the first
            self._error = said

    def outcome(self, code: int, count: int, *, was_told_to_end: bool) -> Facts:
        """The facts.

        Raises:
            PinSageError: there are none.
        """
        if self._error:
            kind = PinSageError if self._error["retry_can_help"] else InputError
            raise kind(self._error["error"])
        if was_told_to_end:
            raise PinSageError("The stage was told to end before its first step. Run it again.")
        if code or self._facts is None:
            for line in self._unmarked:
                log.error("%s", line)
            raise PinSageError(
                f"One of {count} processes died without a word (exit code of torchrun: {code}; its last lines are "
                "above). Out of memory is the usual cause. Run the stage again: it goes on from the last checkpoint."
            )
        return self._facts


@contextmanager
def _end_with_us(process: "subprocess.Popen[str]") -> Iterator[Callable[[], bool]]:
    """Pass SIGTERM on within the block, and end the ranks after an exception; yields whether we were told to end."""
    told = threading.Event()

    def pass_on(number: int, frame: FrameType | None) -> None:
        told.set()
        process.terminate()

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, pass_on) if is_main else None
    try:
        yield told.is_set
    except BaseException:
        process.terminate()
        raise
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def speaking() -> Iterator[None]:
    """Be a rank within the block: log lines are said to the one who listens, and so is an error of ours.

    After such an error the process ends at once.
    """
    logging.basicConfig(level=logging.INFO, handlers=[SayLines()])
    try:
        yield
    except PinSageError as error:
        say(error=str(error), retry_can_help=error.retry_can_help)
        os._exit(1)  # no farewell to the other ranks: they may wait for us in a sum that will never be

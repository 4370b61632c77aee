"""A stage as a process of its own: started, listened to and stopped by whoever asked for it.

An Airflow task body must not create worker processes, so it starts `python -m tasks STAGE` and streams what that says;
the same command is what a shell or a Kubernetes pod would run.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from pinsage.errors import PinSageError
from tasks.running import watch
from tasks.running.log_lines import read_line

CANNOT_RETRY = 2
REPORT_BYTES = 4096
GRACE_S = 4.0  # Airflow kills a task five seconds after it asked it to end
ROOT = Path(__file__).parents[2]

OnLine = Callable[[str], None]
Report = dict[str, Any]


class StageFailedError(PinSageError):
    """A stage's process ended without a result; `retry_can_help` is what its exit code said."""

    def __init__(self, message: str, *, retry_can_help: bool) -> None:
        super().__init__(message)
        self.retry_can_help = retry_can_help


@dataclass(frozen=True)
class StageCommand:
    """A stage of a run with flat settings, in a data folder.

    `origin` says where the run came from. With `refresh` the run uses the model that serves: see
    `tasks.running.refresh`. `more` are options of `python -m tasks` that few stages have.
    """

    stage: str
    run_id: str
    home: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    refresh: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    def argv(self) -> list[str]:
        """The command line, which asks the child to die with this process and to read its settings from stdin."""
        options = {
            "--run-id": self.run_id,
            "--home": str(self.home),
            "--settings": "-",  # every user of a machine sees the command lines of all processes
            "--origin": json.dumps(dict(self.origin)),
            "--parent": str(os.getpid()),
            **self.more,
        }
        return [*_python(self.stage, options), *(["--refresh"] if self.refresh else [])]


def record_failure(run_id: str, home: Path, reason: str, *, wait: bool = True) -> None:
    """End the run's MLflow run as failed, from a process of its own.

    With `wait=False` that process outlives this one, which has no time left.
    """
    child = _start_alone([*_fail(run_id, home), "--reason", reason[:500]], stdin=subprocess.DEVNULL)
    if wait:
        child.wait()


@contextlib.contextmanager
def failure_recorded_at_an_end(run_id: str, home: Path) -> Iterator[None]:
    """End the run's MLflow run as failed should the block be left by a request to end, or this process be killed.

    An error is left to whoever raised it, as the stages record theirs.
    """
    argv = [sys.executable, "-m", watch.__name__, *_fail(run_id, home)]
    watcher = _start_alone(argv, stdin=subprocess.PIPE)
    last_word = watch.IN_PEACE
    try:
        yield
    except Exception:
        raise
    except BaseException:
        last_word = b"asked to end"
        raise
    finally:
        watcher.communicate(last_word)


class StageProcess:
    """One attempt at a stage. `stop` may be called from a signal handler or another thread while `run` listens."""

    def __init__(self, command: StageCommand) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._was_asked_to_end = False

    def run(self, on_line: OnLine) -> Report:
        """Start the process, pass on every line as it comes, and return its report: stage, key, seconds, reused, facts.

        The report is 4 KiB of JSON at most.

        Raises:
            StageFailedError: it failed, or was ended from outside.
        """
        self._process = subprocess.Popen(
            self._command.argv(),
            cwd=ROOT,  # the name `tasks` must mean this package, wherever the caller stands
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # one stream keeps lines in their order
            text=True,
            errors="replace",
            start_new_session=True,  # one signal from us, instead of a second one to the caller's whole group
        )
        with self._process as process:
            try:
                self._tell_settings(process)
                report, last_line = self._listen(process, on_line)
            except BaseException:
                self.stop()
                raise
        return _outcome(self._command.stage, process.returncode, report, last_line)

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Ask the process to end, and kill it with all it started if it has not after `grace_s`. Returns at once.

        It is asked once: a second SIGTERM would hit an interpreter that is leaving and has dropped its handler.
        """
        process = self._process
        if process is None or process.poll() is not None or self._was_asked_to_end:
            return
        self._was_asked_to_end = True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        timer = threading.Timer(grace_s, _kill_session, [process])
        timer.daemon = True  # the caller may leave before it ends
        timer.start()

    def _tell_settings(self, process: "subprocess.Popen[str]") -> None:
        # A process that has ended already reads nothing; its exit code says why.
        with contextlib.suppress(BrokenPipeError), cast("IO[str]", process.stdin) as stdin:
            stdin.write(json.dumps(dict(self._command.settings)))

    def _listen(self, process: "subprocess.Popen[str]", on_line: OnLine) -> tuple[Report, str]:
        report: Report = {}
        last_line = ""
        for line in process.stdout or ():
            text = line.rstrip("\n")
            found = _report(text, self._command.stage)
            if found is None:
                on_line(text)
                last_line = read_line(text).text or last_line
            else:
                report = found
        return report, last_line


def _python(stage: str, options: Mapping[str, str]) -> list[str]:
    return [sys.executable, "-u", "-m", "tasks", stage, *(part for option in options.items() for part in option)]


def _fail(run_id: str, home: Path) -> list[str]:
    return _python("fail", {"--run-id": run_id, "--home": str(home)})


def _start_alone(argv: list[str], *, stdin: int) -> "subprocess.Popen[bytes]":
    """A process that no signal to our group reaches, and that says nothing."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(argv, cwd=ROOT, stdin=stdin, stdout=quiet, stderr=quiet, start_new_session=True)


def _kill_session(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _report(line: str, stage: str) -> Report | None:
    if not line.startswith("{"):
        return None
    try:
        body = json.loads(line)
    except ValueError:
        return None
    is_answer = isinstance(body, dict) and body.get("stage") == stage and ("key" in body or "error" in body)
    return body if is_answer and "event" not in body else None  # a JSON line of the log has stage and key, too


def _outcome(stage: str, code: int, report: Report, last_line: str) -> Report:
    if code == 0 and "key" in report:
        return _trim(report)
    if "error" in report:
        raise StageFailedError(str(report["error"]), retry_can_help=code != CANNOT_RETRY)
    if code < 0:
        name = signal.Signals(-code).name
        fact = f"The process of stage '{stage}' was ended by {name} (last line: {last_line!r})."
        advice = (
            "Out of memory is the usual cause of SIGKILL and SIGABRT, a full disk of SIGBUS; "
            "a retry goes on from what was published."
        )
        raise StageFailedError(f"{fact} {advice}", retry_can_help=True)
    fact = f"The process of stage '{stage}' ended with exit code {code} and no result (last line: {last_line!r})."
    raise StageFailedError(f"{fact} Read its log.", retry_can_help=code != CANNOT_RETRY)


def _trim(report: Report) -> Report:
    """The report without its longest facts, if it would not fit into an XCom otherwise."""
    facts = dict(report.get("facts", {}))
    left_out = 0
    while facts and len(json.dumps({**report, "facts": facts}).encode()) > REPORT_BYTES - 32:
        del facts[max(facts, key=lambda name: len(json.dumps(facts[name])))]
        left_out += 1
    return {**report, "facts": {**facts, "facts_left_out": left_out} if left_out else facts}

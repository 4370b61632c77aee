"""A small world and runs over it, whose stages are processes that a test may kill, starve or leave in peace.

A stage is `tasks.__main__.main` with the options of Airflow's task, in a fork of stage_server.py.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small_settings import SMALL
from stage_traces import Traces, traces

from tasks.stages import STAGES

HERE = Path(__file__).parent
HANG_S = 600.0  # a stage of this world takes seconds, on a machine with much else to do a minute


@dataclass(frozen=True)
class Ended:
    """The end of an attempt at a stage: exit code (negative: a signal's number), seconds, and the lines it wrote."""

    code: int
    seconds: float
    lines: list[str]

    @property
    def error(self) -> str:
        """The sentence that it reported; empty if there is none. A library may write lines after it as it leaves."""
        reports = [json.loads(line) for line in self.lines if line.startswith("{")]
        return reports[-1].get("error", "") if reports else ""

    def __str__(self) -> str:
        return "\n".join([f"exit code {self.code} after {self.seconds:.2f} s", *self.lines[-30:]])


class StageServer:
    """The running stage_server.py."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "stage_server.py")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, kill_after_s: float, **request: Any) -> tuple[int, float]:
        """Exit code and seconds of a stage, which is killed with all that it started if it has not ended by then."""
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        pid = self._answer()
        started = time.monotonic()
        if not select.select([self._process.stdout], [], [], kill_after_s)[0]:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:  # it has no group of its own yet
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return self._answer(), time.monotonic() - started

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _answer(self) -> int:
        line = b""
        while not line.endswith(b"\n"):  # unbuffered, so that `select` sees all there is
            if not (more := os.read(self._process.stdout.fileno(), 1)):
                raise EOFError("the server of stages has ended")
            line += more
        return int(line)


class StageRun:
    """A run `r1` below a folder of its own, or with its home elsewhere."""

    def __init__(self, server: StageServer, folder: Path, dataset: Path, home: Path | None = None) -> None:
        self.folder, self.home = folder, home or folder / "home"
        self._server, self._log, self._tmp = server, folder / "log", folder / "tmp"
        self._settings = json.dumps({**SMALL, "data.dataset": str(dataset)})
        for each in (self.home, self._tmp):
            each.mkdir(parents=True, exist_ok=True)

    def attempt(self, stage: str, *, kill_after_s: float = HANG_S, spare_bytes: int = 0) -> Ended:
        """Start a stage and wait for its end.

        Args:
            stage: its name.
            kill_after_s: seconds from its start, after which it is killed with all that it started.
            spare_bytes: address space that it may take beyond what it has when its work begins; 0: no limit.
        """
        self._log.write_text("")
        options = [stage, "--run-id", "r1", "--home", str(self.home), "--settings", self._settings]
        code, seconds = self._server.run(
            kill_after_s, options=options, log=str(self._log), tmp=str(self._tmp), spare_bytes=spare_bytes
        )
        return Ended(code, seconds, self._log.read_text(errors="replace").splitlines())

    def perform(self, stage: str) -> Ended:
        """A stage in peace, which must be green."""
        ended = self.attempt(stage)
        assert ended.code == 0, f"{stage}: {ended}"
        return ended

    def traces(self) -> Traces:
        """All that the run has left on the disk so far."""
        return traces(self.home, self._tmp)

    def spare_bytes_taken(self) -> int:
        """The address space that the last attempt took beyond what it had when its work began."""
        return int(self._log.with_suffix(".peak").read_text())


@dataclass(frozen=True)
class Peace:
    """A run that nothing disturbed: per stage its seconds, address space, bytes on the disk, and traces after it."""

    server: StageServer
    dataset: Path
    seconds: dict[str, float]
    spare_bytes: dict[str, int]
    grown_bytes: dict[str, int]
    after: dict[str, Traces]


def run_in_peace(server: StageServer, folder: Path, dataset: Path) -> Peace:
    """Take a run through all stages."""
    run, peace = StageRun(server, folder, dataset), Peace(server, dataset, {}, {}, {}, {})
    for stage in STAGES:
        before = size_on_disk(run.home)
        peace.seconds[stage] = run.perform(stage).seconds
        peace.spare_bytes[stage] = run.spare_bytes_taken()
        peace.grown_bytes[stage] = size_on_disk(run.home) - before
        peace.after[stage] = run.traces()
    return peace


def size_on_disk(folder: Path) -> int:
    """The bytes of all files, each in whole pages of 4 KiB."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())

"""A program that has imported all that a stage imports, and forks a process for each stage that it is told to run.

It reads a JSON object per line, the arguments of `be_stage`, and answers with the process's id and, when it has ended,
its exit code. Imports are the most of a small stage's time, and write nothing: a fault is for the work.
"""

import json
import os
import resource
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork takes no threads along

from tasks.__main__ import main
from tasks.stages import STAGES

LATE = (  # what a stage comes to import on its way
    "alembic.command", "cffi", "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store", "PIL.Image", "pinsage.serving.served_model", "pyarrow.dataset",
    "pyarrow.pandas_compat", "pycparser.c_parser", "tasks.running.stage_process", "torch._dynamo",
)  # fmt: skip


def serve() -> None:
    """Fork a stage per line of standard input, one after the other."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.exit(be_stage(**json.loads(line)))
        say(child)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def be_stage(options: list[str], log: str, tmp: str, spare_bytes: int) -> int:
    """The exit code of a stage, in a process group of its own.

    Args:
        options: of `python -m tasks`.
        log: where it writes. The address space that it took goes to a file beside it.
        tmp: folder of temporary files.
        spare_bytes: address space that it may take beyond what it has now; 0: no limit.
    """
    os.setsid()
    for place, descriptor in ((os.devnull, 0), (log, 1), (log, 2)):
        os.dup2(os.open(place, os.O_RDWR | os.O_APPEND), descriptor)
    os.environ["TMPDIR"], tempfile.tempdir = tmp, None
    held = address_space("VmSize")
    if spare_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (held + spare_bytes,) * 2)
    code = main([*options, "--parent", str(os.getppid())])
    Path(log).with_suffix(".peak").write_text(str(address_space("VmPeak") - held))
    return code


def address_space(name: str) -> int:
    """Bytes of this process's address space: VmSize now, VmPeak at most so far."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    for name in [*LATE, *(stage.function.partition(":")[0] for stage in STAGES.values())]:
        import_module(name)
    import_module("PIL.Image").init()
    serve()

"""`python -m tasks.standalone run|stop`: the pipeline on one machine, what `make run` and `make stop` call."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from pinsage.errors import PinSageError
from tasks.running.private_files import keep_files_private, make_private_folder
from tasks.standalone.checks import check_disk, check_python
from tasks.standalone.deployment import Deployment
from tasks.standalone.pipeline import Pipeline
from tasks.standalone.request import Request

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 if the run succeeded (or the servers stopped), 1 if it failed, 2 if it could not begin."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to Ctrl-C
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        keep_files_private()
        deployment = Deployment.from_environment(os.environ)
        return _stop(deployment, console) if options.command == "stop" else _run(options, deployment, console)
    except PinSageError as error:
        console.print(str(error), style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1 if error.retry_can_help else 2
    except KeyboardInterrupt:
        console.print("\nLeft alone: the servers and the run go on. `make stop` ends them.", highlight=False)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks.standalone", description="The pipeline on this machine.")
    parser.add_argument("command", choices=("run", "stop"), help="run the DAG once and wait, or stop the servers")
    parser.add_argument("--dataset", default="", help="folder or URL with your tables; empty: the demo world")
    parser.add_argument("--preset", default="", help="settings file, e.g. conf/paper.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="e.g. train.steps=200")
    return parser


def _run(options: argparse.Namespace, deployment: Deployment, console: Console) -> int:
    check_python()
    make_private_folder(deployment.home)
    check_disk(deployment.home)
    settings = Request(options.dataset, options.preset, options.set).settings(deployment.home)
    deployment.write_config(settings)
    pipeline = Pipeline(deployment, console)
    pipeline.start()
    return 0 if pipeline.run(settings) else 1


def _stop(deployment: Deployment, console: Console) -> int:
    ended = Pipeline(deployment, console).stop()
    what = f"stopped {', '.join(ended)}" if ended else "nothing of ours is running"
    console.print(what, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

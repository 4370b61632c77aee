"""The command line's output: one console, log lines that suit it, and one line per known error."""

import logging
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pinsage.errors import PinSageError
from pinsage.store.machine import keep_memory_reserve, machine_error
from tasks.running.private_files import keep_files_private

if TYPE_CHECKING:
    from rich.console import Console

CANNOT_RETRY = 2
PLAIN_WIDTH = 160  # of a pipe or a file, where nobody knows the width


class OneLineErrors(TyperGroup):
    """A group of commands whose known errors end in one line on stderr: exit code 2 if a retry cannot help, else 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a known error, and a fault of the machine, becomes the exit that it asks for."""
        try:
            keep_files_private()
            keep_memory_reserve()
            return super().invoke(ctx)
        except (PinSageError, OSError, MemoryError, RuntimeError, ImportError) as error:
            named = error if isinstance(error, PinSageError) else machine_error(error)
            if named is None or isinstance(error, BrokenPipeError):  # a pipe that `head` closed is nobody's fault
                raise
            typer.secho(str(named), fg="red", err=True)
            raise typer.Exit(1 if named.retry_can_help else CANNOT_RETRY) from None


def stdout_console() -> "Console":
    """A console on stdout: colors and the terminal's width on a tty, plain wide lines elsewhere."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def log_to(console: "Console") -> None:
    """Show the pipeline's own log lines on the console (above a progress bar, if one runs), others from WARNING up."""
    from rich.logging import RichHandler

    handler: logging.Handler = RichHandler(console=console, show_path=False, markup=False)
    if not console.is_terminal:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("pinsage", "tasks"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)

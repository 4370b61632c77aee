"""`python -m tasks.running.watch COMMAND ...`: wait for the end of whoever started us, then run a command in its stead.

The kernel closes the pipe that is our input however its writer ends, by SIGKILL too. Nothing is imported before that:
the process waits for hours and is rarely needed.
"""

import os
import sys

IN_PEACE = b"in peace"  # the last word of a process that needs nothing done
KILLED = b"its process was killed"


def main(command: list[str]) -> None:
    """Become the command, with the last word as its `--reason`, unless that says that nothing is to be done."""
    last_word = sys.stdin.buffer.read()
    if last_word != IN_PEACE:
        os.execv(command[0], [*command, "--reason", (last_word or KILLED).decode()])  # noqa: S606 - our own arguments


if __name__ == "__main__":
    main(sys.argv[1:])

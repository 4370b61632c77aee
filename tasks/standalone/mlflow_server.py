"""`python -m tasks.standalone.mlflow_server DATABASE COMMAND...`: become MLflow's server, once its database is whole.

The server would make the database by itself, and one that `make stop` ends meanwhile leaves half of it, which no later
server can open.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pinsage.tracking.database import create_database


def main(argv: Sequence[str]) -> None:
    """Make the database unless it is there, and put the command in the place of this process, whose id it keeps."""
    database, *command = argv
    create_database(Path(database))
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])

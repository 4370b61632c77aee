"""Checks before anything is started: each obstacle is one sentence of fact and one of advice."""

import shutil
import sys
from pathlib import Path

from pinsage.errors import InputError

DISK_GB = 2.0


class NotReadyError(InputError):
    """This machine, or what was asked of it, lacks something that a retry will not bring."""


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Return if this Python can run the pipeline.

    Raises:
        NotReadyError: it is older than 3.11.
    """
    if version < (3, 11):
        raise NotReadyError(
            f"This is Python {version[0]}.{version[1]}; 3.11 or newer is needed. Run: make run PYTHON=…"
        )


def check_disk(home: Path, free_gb: float | None = None) -> None:
    """Return if there is room for a run's artifacts in `home`.

    Raises:
        NotReadyError: fewer than two GB are free.
    """
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9 if free_gb is None else free_gb
    if free < DISK_GB:
        raise NotReadyError(f"{free:.1f} GB are free in {place}, and a run may need {DISK_GB:.0f}. Free some space.")


def check_dataset(dataset: str) -> str:
    """The data set's place as the stages will see it: an absolute folder, or a URL as it is.

    Raises:
        NotReadyError: there is no such folder.
    """
    if "://" in dataset:
        return dataset
    folder = Path(dataset).expanduser().absolute()
    if not folder.is_dir():
        raise NotReadyError(f"There is no folder {folder}. Give DATASET= a folder with pins, boards and saves tables.")
    return str(folder)


def check_preset(preset: str) -> Path:
    """The preset's file.

    Raises:
        NotReadyError: there is none; the message names those that come with the pipeline.
    """
    path = Path(preset).expanduser().absolute()
    if not path.is_file():
        known = ", ".join(sorted(f"conf/{file.name}" for file in Path(__file__).parents[2].glob("conf/*.yaml")))
        raise NotReadyError(f"There is no settings file {path}. Give PRESET= one of your own, or one of {known}.")
    return path

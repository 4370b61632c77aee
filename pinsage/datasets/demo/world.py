"""The demo world: a seeded data set in which a pin alone says little, and the pins it shares boards with say the rest.

What is hidden in it is in interests.py, how well it is hidden in recipe.py.
"""

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pinsage.datasets.demo.boards import Boards, drawn_boards
from pinsage.datasets.demo.interests import Interests, Pins, drawn_interests, drawn_pins
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.sessions import Engagements, drawn_sessions
from pinsage.datasets.demo.tables import board_table, engagement_table, pin_table, save_table
from pinsage.errors import DatasetError
from pinsage.store.parquet_files import write_parquet

log = logging.getLogger(__name__)
MIN_PINS, MAX_PINS = 200, 1_000_000


@dataclass(frozen=True)
class DemoFacts:
    """The numbers of rows, of hidden interests and of unsaved pins of a demo world."""

    pins: int
    boards: int
    saves: int
    engagements: int
    interests: int
    new_pins: int


@dataclass(frozen=True)
class World:
    """The whole truth of a demo world, and what people did in it."""

    interests: Interests
    pins: Pins
    boards: Boards
    engagements: Engagements


def write_demo(folder: Path, *, num_pins: int = 20_000, num_boards: int | None = None, seed: int = 0) -> DemoFacts:
    """Write a demo world as `pins`, `boards`, `saves` and `engagements` Parquet tables and return how much it is.

    Args:
        folder: the data set's folder to be; it appears whole or not at all.
        num_pins: pins, 200 to a million.
        num_boards: boards; in proportion to the pins if None.
        seed: the same seed and sizes give the same bytes.

    Raises:
        DatasetError: the folder already holds something, or a size is out of bounds.
    """
    _check(folder, num_pins, num_boards)
    rng, recipe = np.random.default_rng(seed), Recipe()
    world = drawn_world(num_pins, num_boards, recipe, rng)
    tables = {
        "pins": pin_table(world.pins, world.interests, recipe, rng),
        "boards": board_table(world.boards, world.interests, rng),
        "saves": save_table(world.boards, rng),
        "engagements": engagement_table(world.engagements, rng),
    }
    _write(folder, tables)
    rows = {name: table.num_rows for name, table in tables.items()}
    facts = DemoFacts(**rows, interests=len(world.interests), new_pins=int(world.pins.is_new.sum()))
    log.info("the demo world has %s", ", ".join(f"{count:,} {name}" for name, count in rows.items()))
    return facts


def drawn_world(num_pins: int, num_boards: int | None, recipe: Recipe, rng: np.random.Generator) -> World:
    """A world of `num_pins` pins; the same state of `rng` gives the same one."""
    interests = drawn_interests(num_pins, recipe, rng)
    pins = drawn_pins(num_pins, len(interests), recipe, rng)
    count = num_boards or round(num_pins / recipe.pins_per_board)
    boards = drawn_boards(count, interests, pins, recipe=recipe, rng=rng)
    return World(interests, pins, boards, drawn_sessions(pins, len(interests), recipe, rng))


def _check(folder: Path, num_pins: int, num_boards: int | None) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} already holds something. Choose an empty or new folder.")
    if not MIN_PINS <= num_pins <= MAX_PINS:
        raise DatasetError(f"A demo world has {MIN_PINS} to {MAX_PINS:,} pins, not {num_pins:,}. Ask for as many.")
    if num_boards is not None and num_boards < 1:
        raise DatasetError(f"A demo world needs a board, not {num_boards}. Ask for more, or leave the number out.")


def _write(folder: Path, tables: dict[str, pa.Table]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, table in tables.items():
            write_parquet(staging / f"{name}.parquet", table)
        staging.chmod(0o755)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)

"""The demo world as the four tables that a data set brings.

Times lie in the 120 days before a fixed instant, so that the bytes do not depend on today. A handful of saves are bad
on purpose: the quarantine should have something to show.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.datasets.demo.boards import Boards
from pinsage.datasets.demo.captions import board_title, pin_caption
from pinsage.datasets.demo.drawings import SILHOUETTES
from pinsage.datasets.demo.interests import Interests, Pins
from pinsage.datasets.demo.pictures import PALETTES, Scene, picture
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.sessions import Engagements
from pinsage.datasets.demo.vocabulary import CATEGORIES

END = datetime(2026, 6, 30, tzinfo=UTC)
DAYS = 120
MINUTES_PER_DAY = 1440
DUPLICATE_SAVES = 3
GONE_PINS = ("pin-gone-a", "pin-gone-b")
_TIME = pa.timestamp("us", "UTC")
_DAY_US = 86_400_000_000


def pin_table(pins: Pins, interests: Interests, recipe: Recipe, rng: np.random.Generator) -> pa.Table:
    """The pins with their captions and pictures, row i being pin i."""
    rows = range(len(pins))
    captions = [pin_caption(pin, pins, interests, recipe=recipe, rng=rng) for pin in rows]
    columns = {
        "pin_id": pa.array([_pin_id(pin) for pin in rows]),
        "title": pa.array([caption.title for caption in captions], pa.string()),
        "description": pa.array([caption.description for caption in captions], pa.string()),
        "annotations": pa.array([caption.annotations for caption in captions], pa.list_(pa.string())),
        "image": pa.array((_image(pin, pins, interests, recipe=recipe, rng=rng) for pin in rows), pa.binary()),
    }
    return pa.table(columns)


def board_table(boards: Boards, interests: Interests, rng: np.random.Generator) -> pa.Table:
    """The boards with their titles and categories, row i being board i."""
    about = list(zip(boards.interest.tolist(), boards.style.tolist(), strict=True))
    columns = {
        "board_id": [_board_id(board) for board in range(len(boards))],
        "title": [board_title(interest, style, interests, rng) for interest, style in about],
        "category": [CATEGORIES[interests.place[interest]] for interest, _ in about],
    }
    return pa.table(columns)


def save_table(boards: Boards, rng: np.random.Generator) -> pa.Table:
    """The saves as they came in time, most of a board's soon after its first day, with a few bad rows at the end."""
    first_day = rng.uniform(0, DAYS, size=len(boards))[boards.board]
    day = first_day + (DAYS - first_day) * rng.random(len(boards.board)) ** 2
    order = np.argsort(day, kind="stable")
    order = np.concatenate([order, rng.choice(order, size=DUPLICATE_SAVES, replace=False), order[-len(GONE_PINS) :]])
    known = order[: len(order) - len(GONE_PINS)]
    columns = {
        "board_id": [_board_id(board) for board in boards.board[order].tolist()],
        "pin_id": [*(_pin_id(pin) for pin in boards.pin[known].tolist()), *GONE_PINS],
        "saved_at": _instants(day[order]),
    }
    return pa.table(columns)


def engagement_table(engagements: Engagements, rng: np.random.Generator) -> pa.Table:
    """The engagements in the order of time, those of a session a minute or so apart."""
    start = rng.uniform(0, DAYS - 1, size=int(engagements.session.max()) + 1)
    day = start[engagements.session] + (engagements.place + rng.random(len(engagements))) / MINUTES_PER_DAY
    order = np.argsort(day, kind="stable")
    columns = {
        "query_pin_id": [_pin_id(pin) for pin in engagements.query[order].tolist()],
        "engaged_pin_id": [_pin_id(pin) for pin in engagements.positive[order].tolist()],
        "at": _instants(day[order]),
    }
    return pa.table(columns)


def _image(pin: int, pins: Pins, interests: Interests, *, recipe: Recipe, rng: np.random.Generator) -> bytes | None:
    """The picture of a pin, which shows its interest's look or another one; None for a few."""
    interest = int(pins.interest[pin])
    lacks_picture, keeps_silhouette, keeps_palette = rng.random(3) < (
        recipe.no_picture,
        recipe.true_silhouette,
        recipe.true_palette,
    )
    if lacks_picture:
        return None
    scene = Scene(
        family=int(interests.family[interest]),
        category=int(interests.category[interest]),
        silhouette=int(interests.silhouette[interest] if keeps_silhouette else rng.integers(SILHOUETTES)),
        palette=int(interests.palette[interest] if keeps_palette else rng.integers(len(PALETTES))),
        style=float(pins.style[pin]),
    )
    return picture(scene, rng)


def _instants(day: NDArray[np.float64]) -> pa.Array:
    """Moments so many days after the world's beginning."""
    begin_us = round((END - timedelta(days=DAYS)).timestamp() * 1e6)
    return pa.array(begin_us + np.round(day * _DAY_US).astype(np.int64), _TIME)


def _pin_id(pin: int) -> str:
    return f"pin-{pin:06d}"


def _board_id(board: int) -> str:
    return f"board-{board:06d}"

"""Sessions: a person goes from pin to pin of one interest, mostly to one of a similar style."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.datasets.demo.interests import Pins
from pinsage.datasets.demo.recipe import Recipe


@dataclass(frozen=True)
class Engagements:
    """Pins engaged one after the other: int64 [N] each, with the session and the place in it."""

    query: NDArray[np.int64]
    positive: NDArray[np.int64]
    session: NDArray[np.int64]
    place: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query)


def drawn_sessions(pins: Pins, num_interests: int, recipe: Recipe, rng: np.random.Generator) -> Engagements:
    """The engagements of all sessions; new pins have theirs too."""
    starts = rng.integers(len(pins), size=round(len(pins) * recipe.sessions_per_pin))
    members = pins.members(num_interests)
    paths = np.stack([_path(int(start), members, pins, recipe, rng) for start in starts])
    stray = rng.random(paths.shape) < recipe.stray_engagements
    paths[stray] = rng.integers(len(pins), size=int(stray.sum()))
    session, place = np.indices((len(starts), paths.shape[1] - 1)).reshape(2, -1)
    query, positive = paths[:, :-1].ravel(), paths[:, 1:].ravel()
    moved = query != positive
    return Engagements(query[moved], positive[moved], session[moved], place[moved])


def _path(
    start: int, members: list[NDArray[np.int64]], pins: Pins, recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.int64]:
    pool = members[pins.interest[start]]
    styles, path = pins.style[pool], [start]
    for _ in range(recipe.session_length):
        distance = (styles - pins.style[path[-1]]) / recipe.session_reach
        chance = np.cumsum(np.exp(-0.5 * distance**2))
        path.append(int(pool[np.searchsorted(chance, rng.random() * chance[-1])]))
    return np.array(path)

"""Boards and what was saved to them: mostly one interest, some of a second, some of anything."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.datasets.demo.interests import Interests, Pins
from pinsage.datasets.demo.recipe import Recipe


@dataclass(frozen=True)
class Boards:
    """Boards and their saves.

    Attributes:
        interest, style: int64 and float64 [B], what a board is mainly about.
        board, pin: int64 [S], the saves; no pin is on a board twice.
    """

    interest: NDArray[np.int64]
    style: NDArray[np.float64]
    board: NDArray[np.int64]
    pin: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.interest)


def drawn_boards(count: int, interests: Interests, pins: Pins, *, recipe: Recipe, rng: np.random.Generator) -> Boards:
    """`count` boards; every pin that is not new is on at least one."""
    every = np.arange(len(interests))
    mains = rng.permutation(np.concatenate([every, rng.integers(len(interests), size=count)])[:count])
    style = rng.random(count)
    draw = _Draw(interests, pins, recipe, rng)
    saved = [draw.pins_of_board(int(main), center) for main, center in zip(mains, style, strict=True)]
    board = np.repeat(np.arange(count), [len(some) for some in saved])
    pin = np.concatenate(saved)
    forgotten = np.setdiff1d(np.flatnonzero(~pins.is_new), pin)
    homes = _homes(forgotten, mains, pins, rng)
    return Boards(mains, style, np.concatenate([board, homes]), np.concatenate([pin, forgotten]))


class _Draw:
    """A draw of the pins of one board after the other."""

    def __init__(self, interests: Interests, pins: Pins, recipe: Recipe, rng: np.random.Generator) -> None:
        self._pins, self._recipe, self._rng = pins, recipe, rng
        self._siblings = interests.of_same_category()
        self._members = [some[~pins.is_new[some]] for some in pins.members(len(interests))]
        self._everyone = np.flatnonzero(~pins.is_new)

    def pins_of_board(self, main: int, center: float) -> NDArray[np.int64]:
        """The pins of a board about `main`, in the order in which they were saved."""
        recipe, rng = self._recipe, self._rng
        size = int(np.clip(rng.lognormal(np.log(recipe.board_size), recipe.board_spread), 3, 250))
        shares = np.array([recipe.main_share, recipe.second_share, recipe.category_share])
        counts = rng.multinomial(size, [*shares, 1 - shares.sum()])
        siblings = self._siblings[main]
        others = rng.choice(siblings, size=int(counts[2]))
        picked = [
            self._nearest_liked(self._members[main], int(counts[0]), center),
            self._nearest_liked(self._members[int(rng.choice(siblings))], int(counts[1]), center),
            *(self._popular_pins(self._members[int(other)], 1) for other in others),
            self._popular_pins(self._everyone, int(counts[3])),
        ]
        return rng.permutation(np.unique(np.concatenate(picked)))

    def _nearest_liked(self, pool: NDArray[np.int64], count: int, center: float) -> NDArray[np.int64]:
        """Popular pins near a style, none twice: the first to arrive when each comes at its own rate."""
        distance = (self._pins.style[pool] - center) / self._recipe.board_reach
        rate = self._pins.popularity[pool] * np.exp(-0.5 * distance**2)
        arrival = self._rng.exponential(size=len(pool)) / np.maximum(rate, 1e-9)
        return pool[np.argsort(arrival)[:count]]

    def _popular_pins(self, pool: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Popular pins of a pool: of a few candidates each the most popular."""
        if not len(pool) or not count:
            return pool[:0]
        candidates = pool[self._rng.integers(len(pool), size=(count, 2))]
        best = self._pins.popularity[candidates].argmax(axis=1)
        liked: NDArray[np.int64] = candidates[np.arange(count), best]
        return liked


def _homes(
    pins_left: NDArray[np.int64], mains: NDArray[np.int64], pins: Pins, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A board of its own interest for each pin that no board took, or any board if there is none."""
    homes = [np.flatnonzero(mains == pins.interest[pin]) for pin in pins_left]
    return np.array([rng.choice(some) if len(some) else rng.integers(len(mains)) for some in homes], dtype=np.int64)

"""The hidden interests behind the demo's pins. They are not written down: the pipeline has to find them.

Every interest has a look (a silhouette in a palette) and a theme (three words). Each pair of look and theme is an
interest in each of the four sister categories, so content narrows a pin down to a few interests and not to one.

Letters: P pins, I interests.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pinsage.datasets.demo.drawings import SILHOUETTES
from pinsage.datasets.demo.pictures import PALETTES
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.vocabulary import FAMILIES

SISTERS = 4
THEME_WORDS = 3
INTERESTS_PER_FAMILY = 40  # at least; a small world has few categories rather than empty ones


@dataclass(frozen=True)
class Interests:
    """The family, category, look and theme of each interest.

    Attributes:
        family, category: int64 [I], category from 0 to 3 inside the family.
        silhouette, palette: int64 [I], its look.
        theme: int64 [I, 3], its words, rows of the family's words.
    """

    family: NDArray[np.int64]
    category: NDArray[np.int64]
    silhouette: NDArray[np.int64]
    palette: NDArray[np.int64]
    theme: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.family)

    @property
    def place(self) -> NDArray[np.int64]:
        """The category of each interest as a row of CATEGORIES: int64 [I]."""
        return self.family * SISTERS + self.category

    def of_same_category(self) -> list[NDArray[np.int64]]:
        """The interests of each interest's category, itself included."""
        place = self.place
        return [np.flatnonzero(place == own) for own in place]


@dataclass(frozen=True)
class Pins:
    """The interest, style and popularity of each pin.

    Attributes:
        interest: int64 [P].
        style: float64 [P], from 0 (light) to 1 (dark): seen in picture and words, and like goes with like.
        popularity: float64 [P], how likely a pin is to be saved, heavy-tailed.
        is_new: bool [P], not saved yet.
    """

    interest: NDArray[np.int64]
    style: NDArray[np.float64]
    popularity: NDArray[np.float64]
    is_new: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.interest)

    def members(self, num_interests: int) -> list[NDArray[np.int64]]:
        """The pins of each interest."""
        order = np.argsort(self.interest, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.interest, minlength=num_interests))[:-1])


def drawn_interests(num_pins: int, recipe: Recipe, rng: np.random.Generator) -> Interests:
    """About P / `pins_per_interest` interests, in as many families of the vocabulary as they fill."""
    wanted = max(2 * SISTERS, num_pins // recipe.pins_per_interest)
    num_families = int(np.clip(wanted // INTERESTS_PER_FAMILY, 1, len(FAMILIES)))
    per_family = max(2, round(wanted / (num_families * SISTERS)))
    parts = [_family_interests(family, per_family, recipe, rng) for family in range(num_families)]
    return Interests(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def drawn_pins(num_pins: int, num_interests: int, recipe: Recipe, rng: np.random.Generator) -> Pins:
    """Pins of interests of unequal size; a few are new."""
    share = rng.gamma(recipe.evenness, size=num_interests)
    popularity = rng.lognormal(0.0, recipe.popularity_spread, size=num_pins)
    interest = rng.choice(num_interests, size=num_pins, p=share / share.sum())
    return Pins(interest, rng.random(num_pins), popularity, rng.random(num_pins) < recipe.new_share)


def _family_interests(
    family: int, count: int, recipe: Recipe, rng: np.random.Generator
) -> tuple[NDArray[np.int64], ...]:
    """`count` pairs of look and theme, each in all four categories: columns in the order of Interests."""
    variety = int(np.clip(round(count / recipe.sharing), int(np.ceil(np.sqrt(count))), SILHOUETTES * len(PALETTES)))
    looks = rng.choice(SILHOUETTES * len(PALETTES), size=variety, replace=False)
    themes = np.array([*combinations(range(len(FAMILIES[family].words)), THEME_WORDS)])
    themes = rng.permuted(rng.choice(themes, size=variety, replace=False), axis=1)
    pairs = rng.choice(variety * variety, size=count, replace=False)
    look, theme = looks[pairs // variety], themes[pairs % variety]
    columns = (np.full(count, family), look % SILHOUETTES, look // SILHOUETTES, theme)
    family_of, silhouette, palette, words = (np.repeat(column, SISTERS, axis=0) for column in columns)
    return family_of, np.tile(np.arange(SISTERS), count), silhouette, palette, words

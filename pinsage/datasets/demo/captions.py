"""Titles, descriptions and annotations: some words of the pin's interest, and some of nothing in particular."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.datasets.demo.interests import Interests, Pins
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.vocabulary import BOARD_TITLES, CATEGORIES, FAMILIES, STYLES, TITLES, USES

_EVERY_WORD = tuple(sorted({word for family in FAMILIES for word in family.words}))
_STYLE_NOISE = 0.12


@dataclass(frozen=True)
class Caption:
    """The words of a pin; None and an empty list where it has none."""

    title: str | None
    description: str | None
    annotations: list[str]


def pin_caption(pin: int, pins: Pins, interests: Interests, *, recipe: Recipe, rng: np.random.Generator) -> Caption:
    """The title, description and annotations of a pin."""
    interest = int(pins.interest[pin])
    family = int(interests.family[interest])
    lacks_annotations, lacks_words = rng.random(2) < (recipe.no_annotations, recipe.no_words)
    words = _theme_words(interests.theme[interest], family, recipe, rng)
    style = _style(float(pins.style[pin]), rng)
    title = _fill(TITLES, words, style, "", rng)
    annotations = [*words, style] if rng.random() < recipe.style_word else list(words)
    if rng.random() < recipe.category_word:
        annotations.append(CATEGORIES[interests.place[interest]])
    if lacks_words:
        return Caption(None, None, [])
    description = f"Saved for {USES[rng.integers(len(USES))]}: {', '.join(annotations)}."
    return Caption(
        title, description, [] if lacks_annotations else [str(word) for word in rng.permutation(annotations)]
    )


def board_title(interest: int, style: float, interests: Interests, rng: np.random.Generator) -> str:
    """The title of a board."""
    family = int(interests.family[interest])
    words = [FAMILIES[family].words[row] for row in interests.theme[interest]]
    category = CATEGORIES[interests.place[interest]]
    return _fill(BOARD_TITLES, words, _style(style, rng), category, rng)


def _theme_words(theme: NDArray[np.int64], family: int, recipe: Recipe, rng: np.random.Generator) -> list[str]:
    kept = [FAMILIES[family].words[row] for row in theme[rng.random(len(theme)) < recipe.theme_word]]
    strays = rng.integers(len(_EVERY_WORD), size=max(rng.poisson(recipe.stray_words), 2 - len(kept)))
    return list(dict.fromkeys([*kept, *(_EVERY_WORD[row] for row in strays)]))


def _style(style: float, rng: np.random.Generator) -> str:
    row = int(np.clip((style + rng.normal(0, _STYLE_NOISE)) * len(STYLES), 0, len(STYLES) - 1))
    return STYLES[row]


def _fill(patterns: tuple[str, ...], words: list[str], style: str, category: str, rng: np.random.Generator) -> str:
    """One of the patterns that need no more words than there are."""
    names = ("first", "second", "third")
    usable = [text for text in patterns if not any(f"{{{name}}}" in text for name in names[len(words) :])]
    pattern, use = usable[rng.integers(len(usable))], USES[rng.integers(len(USES))]
    text = pattern.format(style=style, use=use, category=category, **dict(zip(names, words, strict=False)))
    return text[0].upper() + text[1:]

"""The demo's pictures and captions: readable, varied, and the same from the same seed."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from pinsage.datasets.demo.captions import board_title, pin_caption
from pinsage.datasets.demo.drawings import SILHOUETTES, shapes
from pinsage.datasets.demo.interests import drawn_interests, drawn_pins
from pinsage.datasets.demo.pictures import PALETTES, SIDE, Scene, picture
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.vocabulary import CATEGORIES, FAMILIES, STYLES

SUBJECTS = [*product(range(len(FAMILIES)), range(SILHOUETTES), range(4))]


def pixels(scene, seed=0):
    """The decoded picture of a scene: float [72, 72, 3]."""
    image = Image.open(io.BytesIO(picture(scene, np.random.default_rng(seed))))
    return np.asarray(image.convert("RGB"), dtype=float)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_every_subject_lies_on_the_canvas_and_shows(subject):
    """A drawing stays within 100 x 100 and changes many pixels of the plain ground."""
    points = np.concatenate([shape.points for shape in shapes(*subject)])
    assert points.min() >= 0
    assert points.max() <= 100
    seen = pixels(Scene(*subject, palette=0, style=0.5))
    assert seen.shape == (SIDE, SIDE, 3)
    away = np.abs(seen - np.median(seen, axis=(0, 1))).max(axis=2) > 40
    assert 0.03 < away.mean() < 0.8


def test_no_two_subjects_are_the_same_drawing():
    """Sisters share a silhouette, not the picture."""
    assert len({str([(s.color, s.points.tolist()) for s in shapes(*subject)]) for subject in SUBJECTS}) == 60


def test_a_picture_hangs_on_the_seed_alone():
    """Same draws, same bytes; other draws, another picture of the same scene."""
    scene = Scene(0, 0, 1, palette=3, style=0.2)
    first, again, other = (picture(scene, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_style_goes_from_light_to_dark():
    """The continuous coordinate is seen in every palette."""
    for palette in range(len(PALETTES)):
        light, dark = (pixels(Scene(0, 0, 0, palette, style), seed=5).mean() for style in (0.0, 1.0))
        assert light > dark + 10


def test_words_of_a_family_belong_to_all_its_categories_and_to_no_other_family():
    """A word never gives the category away."""
    words = [word for family in FAMILIES for word in family.words]
    assert len(words) == len(set(words)) == 60
    assert not set(words) & (set(STYLES) | set(CATEGORIES))
    assert len(set(CATEGORIES)) == 20


def test_captions_name_the_theme_and_the_style_most_of_the_time():
    """And their titles are filled patterns without a word said twice."""
    rng, recipe = np.random.default_rng(0), Recipe()
    interests = drawn_interests(2000, recipe, rng)
    pins = drawn_pins(2000, len(interests), recipe, rng)
    named = []
    for pin in range(500):
        caption = pin_caption(pin, pins, interests, recipe=recipe, rng=rng)
        interest = pins.interest[pin]
        theme = {FAMILIES[interests.family[interest]].words[row] for row in interests.theme[interest]}
        named.append(len(theme & set(caption.annotations)))
        assert len(set(caption.annotations)) == len(caption.annotations)
        if caption.title:
            spoken = [word for word in caption.title.lower().replace(",", "").split() if word in theme]
            assert "{" not in caption.title
            assert len(spoken) == len(set(spoken))
    assert 3 * recipe.theme_word - 0.4 < np.mean(named) < 3 * recipe.theme_word + 0.4


def test_the_style_word_follows_the_style():
    """Light pins are called pale, dark ones dark."""
    rng, recipe = np.random.default_rng(0), Recipe(style_word=1.0, no_words=0.0, no_annotations=0.0)
    interests = drawn_interests(600, recipe, rng)
    pins = drawn_pins(600, len(interests), recipe, rng)
    heard = []
    for pin in range(600):
        words = pin_caption(pin, pins, interests, recipe=recipe, rng=rng).annotations
        heard.append(next(row for row, style in enumerate(STYLES) if style in words))
    assert np.corrcoef(heard, pins.style)[0, 1] > 0.8


def test_boards_have_titles():
    """Filled, and begun with a capital."""
    rng, recipe = np.random.default_rng(0), Recipe()
    interests = drawn_interests(600, recipe, rng)
    titles = [board_title(interest, 0.5, interests, rng) for interest in range(len(interests))]
    assert all(title[0].isupper() and "{" not in title for title in titles)
    assert len(set(titles)) > len(titles) / 2

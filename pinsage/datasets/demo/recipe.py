"""The numbers that make the demo world what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The sizes of interests, the noise in what a pin shows of its own, and the disorder of boards and sessions."""

    pins_per_interest: int = 25
    evenness: float = 6.0  # of interest sizes; infinite: all the same
    sharing: float = 3.0  # pairs that share a look, and pairs that share a theme, within a family of categories
    new_share: float = 0.05  # pins without any save
    popularity_spread: float = 0.8

    true_silhouette: float = 0.6  # chance that a picture shows the subject of the pin's interest ...
    true_palette: float = 0.6  # ... in its colors
    theme_word: float = 0.7  # chance of each of the interest's three words
    stray_words: float = 1.5  # words that say nothing, on average
    category_word: float = 0.1  # chance that the caption names the category
    style_word: float = 0.6
    no_picture: float = 0.03
    no_annotations: float = 0.03
    no_words: float = 0.01

    pins_per_board: float = 2.5  # a board for every so many pins
    board_size: float = 13.0  # saves, median
    board_spread: float = 0.7
    main_share: float = 0.55  # saves of a board's main interest ...
    second_share: float = 0.2  # ... of a second one of the same category
    category_share: float = 0.21  # ... of anything in the category; the rest is of anything at all
    board_reach: float = 0.35  # how far in style a board's pins lie from its center

    sessions_per_pin: float = 0.9
    session_length: int = 4
    session_reach: float = 0.12  # how far in style the next pin of a session lies
    stray_engagements: float = 0.06

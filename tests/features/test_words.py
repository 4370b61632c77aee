"""Which words a pin has."""

import pyarrow as pa
import pytest

from pinsage.features.words import annotation_words, domain_words, tokens, words_of_pins


def pins(**columns):
    """A pins table with one row per value; columns that are not given are missing."""
    types = {"annotations": pa.list_(pa.string())}
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lemon-Tart, EASY!", ["lemon", "tart", "easy"]),
        ("a 12 ² 2nd x", ["2nd"]),
        ("Don't don’t", ["don't", "don't"]),
        ("Ｆｕｌｌ naïve NAI\u0308VE", ["full", "naïve", "naïve"]),
        ("हिन्दी Straße", ["हिन्दी", "strasse"]),
        ("snake_case", ["snake", "case"]),
        ("x" * 65 + " " + "y" * 64, ["y" * 64]),
        ("", []),
    ],
)
def test_a_text_is_split_into_lower_case_words(text, words):
    """Punctuation splits; numbers, single characters and endless runs are no words; look-alikes are one word."""
    assert list(tokens(text)) == words


def test_a_phrase_is_one_word_beside_its_own():
    """Up to four words are a phrase; more are text that somebody put in the wrong place."""
    assert list(annotation_words("Mid-century Modern")) == ["mid_century_modern", "mid", "century", "modern"]
    assert list(annotation_words("Modern")) == ["modern"]
    assert list(annotation_words("all these words are separate")) == ["all", "these", "words", "are", "separate"]
    assert list(annotation_words("?!")) == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://www.Etsy.co.uk/listing/1", ["etsy"]),
        ("etsy.com/listing?x=a.b", ["etsy"]),
        ("//etsy.com:8080", ["etsy"]),
        ("etsy.com:8080/listing", ["etsy"]),
        ("http://me:pw@kitchen.blogspot.com:80/", ["kitchen", "blogspot"]),
        ("https://co.uk", ["co"]),
        ("http://127.0.0.1/a", []),
        ("http://[::1]/", []),
        ("localhost", []),
        ("", []),
    ],
)
def test_a_link_gives_the_names_of_its_host(link, words):
    """Scheme, user, port, path, www and the top level say nothing about a pin."""
    assert list(domain_words(link)) == words


def test_annotations_come_before_all_other_words():
    """A pin with annotations keeps its title and description: those may say what the annotation does not."""
    table = pins(annotations=[["Pie", "Easy Pie"], [], ["", None, "!"], None], title=["Tart"] * 4)
    assert list(words_of_pins(table, max_words=9)) == [
        ["pie", "easy_pie", "easy", "pie", "tart"], ["tart"], ["tart"], ["tart"],
    ]  # fmt: skip
    card = pins(annotations=[["Blue"]], title=["Opt"], link=["https://cards.com/1"], description=["Scry, then draw."])
    assert list(words_of_pins(card, max_words=9)) == [["blue", "opt", "cards", "scry", "then", "draw"]]
    assert list(words_of_pins(card, max_words=4)) == [["blue", "opt", "cards", "scry"]]


def test_a_long_description_leaves_room_for_title_and_link():
    """Title and domain come before the description, so that the cap takes words off the description."""
    table = pins(title=["Lemon tart"], description=["so very good " * 99], link=["https://pies.com/1"])
    assert list(words_of_pins(table, max_words=4)) == [["lemon", "tart", "pies", "so"]]


def test_a_pin_with_nothing_has_no_words():
    """Missing columns and null values are an empty list, one per pin."""
    assert list(words_of_pins(pins(title=[None, ""]), max_words=4)) == [[], []]
    assert list(words_of_pins(pins(title=[]), max_words=4)) == []

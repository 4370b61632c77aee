"""What pins are about: their words, else the categories of their boards, less what all of them share."""

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from catalog_world import catalog_of, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog.parquet_files import write_parquet
from pinsage.catalog.schema import PUBLISHED_PINS
from pinsage.graph.topics import _texts, _words, pin_topics


def cosines(topics):
    unit = topics.astype(float)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T


def topics_of(folder, *, saves=((0, 0), (0, 1), (1, 2), (1, 3)), num_pins=4, **content):
    catalog = catalog_of(folder, [(*save, 0) for save in saves], num_pins=num_pins, **content)
    return pin_topics(catalog, graph_of(catalog, saves))


@given(st.lists(st.text(st.sampled_from("abZÉ9 ,.-'é"), max_size=12), max_size=5))
@settings(max_examples=150, deadline=None)
def test_words_are_runs_of_letters_and_digits(texts):
    """Against a regular expression on bytes: lower case, at least two bytes, of every alphabet."""
    table = pa.table({"title": pa.array(texts, pa.string()), "description": pa.nulls(len(texts), pa.string())})
    table = table.append_column("annotations", pa.array([[] for _ in texts], pa.list_(pa.string())))
    data, offsets, text_words = _words(_texts(table))
    words = [data[begin:end].tobytes() for begin, end in pairwise(offsets)]
    found = [words[begin:end] for begin, end in pairwise(text_words)]
    assert found == [re.findall(rb"[a-z0-9\x80-\xff]{2,}", text.lower().encode()) for text in texts]


def test_pins_of_the_same_words_point_the_same_way(tmp_path):
    """Whatever the case, the order and the punctuation; pins of other words point elsewhere."""
    annotations = [["Herb garden"], ["GARDEN", "herb"], ["chess"], ["Chess!"]]
    found = cosines(topics_of(tmp_path, annotations=annotations))
    assert found[0, 1] == pytest.approx(1)
    assert found[2, 3] == pytest.approx(1)
    assert found[0, 2] < -0.9  # two topics less their mean are opposites


def test_annotations_go_before_titles(tmp_path):
    """As for the text features: title and description speak for a pin without annotations."""
    catalog = catalog_of(tmp_path, [(0, pin, 0) for pin in range(4)], num_pins=4)
    titles, descriptions = ["chess", "chess", None, "garden"], [None, None, "chess club", "tips"]
    columns = [list("abcd"), titles, descriptions, [None] * 4, [["garden", "tips"], [], None, []]]
    write_parquet(tmp_path / "pins.parquet", pa.table(columns, schema=PUBLISHED_PINS))
    found = cosines(pin_topics(catalog, graph_of(catalog, [(0, pin) for pin in range(4)])))
    assert found[0, 3] == pytest.approx(1)
    assert found[1, 2] > 0 > found[0, 1]


def test_a_pin_without_words_has_the_categories_of_its_boards(tmp_path):
    """Pins 0 and 1 of the garden, 2 and 3 of chess; a pin on no board that has a category has no topic."""
    saves = [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4)]
    topics = topics_of(tmp_path, saves=saves, num_pins=6, categories=["garden", "chess", None])
    found = cosines(topics)
    assert found[0, 1] == found[2, 3] == pytest.approx(1)
    assert found[0, 2] < -0.9
    assert not topics[4:].any()


def test_what_all_pins_share_says_nothing(tmp_path):
    """A word of every pin moves none; where there is no other, there are no topics."""
    with_word = cosines(topics_of(tmp_path / "a", annotations=[["pin", word] for word in ("ab", "ab", "cd", "cd")]))
    without = cosines(topics_of(tmp_path / "b", annotations=[[word] for word in ("ab", "ab", "cd", "cd")]))
    assert with_word == pytest.approx(without, abs=0.03)
    assert not topics_of(tmp_path / "c", annotations=[["pin"]] * 4).any()


def test_row_groups_change_nothing(tmp_path, monkeypatch):
    """Pins are read by row group, and the graph's rows with them."""
    saves = [(pin % 3, pin) for pin in range(30)]
    content = {"categories": ["aa", "bb", "cc"], "annotations": [[f"w{pin % 4}"] * (pin % 2) for pin in range(30)]}
    whole = topics_of(tmp_path / "a", saves=saves, num_pins=30, **content)
    monkeypatch.setattr("pinsage.catalog.parquet_files.ROW_GROUP_ROWS", 7)
    assert np.array_equal(topics_of(tmp_path / "b", saves=saves, num_pins=30, **content), whole)

"""An id is found where it stands, whatever its bytes, and two ids are never taken for one."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog.id_table import LANES, IdTable

IDS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20), max_size=60)


def places(known: list[str], asked: list[str | None]) -> list[int]:
    """The slow, obvious version."""
    return [known.index(text) if text in known else -1 for text in asked]


@given(IDS, IDS, st.sampled_from([2**64 - 1, 3, 0]))
@settings(max_examples=80, deadline=None)
def test_ids_are_found_as_a_search_through_the_list_finds_them(known, asked, hash_mask):
    """Also where the hash has four values, or one: every id collides, and bytes alone decide."""
    known, asked = list(dict.fromkeys(known)), [*asked, *known, None]
    table = IdTable.of(pa.array(known, pa.string()), hash_mask=hash_mask)
    assert table.rows(pa.array(asked, pa.string())).tolist() == places(known, asked)


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_slices_of_any_string_type_are_looked_up(dtype):
    """An offset into the buffers, a null, a repeated value."""
    asked = pa.array(["z", "b", None, "a", "b", "nobody"], pa.string()).cast(dtype).slice(1)
    assert IdTable.of(pa.array(["x", "a", "b"]).slice(1)).rows(asked).tolist() == [1, -1, 0, 1, -1]


def test_a_null_in_a_dictionary_is_unknown():
    """Some writers hide it there."""
    asked = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int32()), pa.array(["a", None]))
    assert IdTable.of(pa.array(["a"])).rows(asked).tolist() == [0, -1, -1]


@pytest.mark.parametrize("count", [LANES - 1, LANES, LANES + 1, 5 * LANES + 7])
def test_batches_of_any_length_are_looked_up(count):
    """Whole blocks of lanes and what is left over."""
    known = [f"{number:09d}" for number in range(0, 2 * count, 2)]
    asked = [f"{number:09d}" for number in range(count)]
    expected = [number // 2 if number % 2 == 0 else -1 for number in range(count)]
    assert IdTable.of(pa.array(known)).rows(pa.array(asked)).tolist() == expected


def test_an_empty_table_knows_nobody():
    """And an empty question has an empty answer."""
    assert IdTable.of(pa.array([], pa.string())).rows(pa.array(["a", ""])).tolist() == [-1, -1]
    assert IdTable.of(pa.array(["a"])).rows(pa.array([], pa.string())).tolist() == []


def test_ids_of_the_same_length_that_differ_in_one_byte_are_told_apart():
    """At every place of a word of eight bytes and of the rest."""
    known = ["x" * 19] + ["x" * place + "y" + "x" * (18 - place) for place in range(19)]
    table = IdTable.of(pa.array(known), hash_mask=0)
    assert table.rows(pa.array(known)).tolist() == list(range(20))
    assert table.rows(pa.array(["x" * 18 + "z"])).tolist() == [-1]

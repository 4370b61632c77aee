"""A graph on disk is read back as it was, or refused."""

import numpy as np
import pytest

from pinsage.errors import ArtifactDamagedError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import NAMES, WEIGHTS, BipartiteGraph


@pytest.fixture
def folder(tmp_path):
    """A saved graph: pins 0 and 1 on board 0, pin 1 on board 1, pin 2 isolated."""
    pins, boards = np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32)
    build_graph(pins, boards, num_pins=3, num_boards=2).save(tmp_path)
    return tmp_path


def test_a_saved_graph_is_opened_as_read_only_maps(folder):
    """Four memory maps that nobody can write through, with the sizes of the graph."""
    graph = BipartiteGraph.open(folder)
    assert all(isinstance(getattr(graph, name), np.memmap) for name in NAMES)
    assert not graph.pin_boards.flags.writeable
    assert (graph.num_pins, graph.num_boards, graph.num_saves) == (3, 2, 3)
    assert graph.pin_degrees.tolist() == [1, 2, 0]
    assert graph.board_degrees.tolist() == [2, 1]


def test_a_graph_without_saves_can_be_saved_and_opened(tmp_path):
    """Empty arrays survive the trip through memory maps."""
    none = np.empty(0, np.int32)
    build_graph(none, none, num_pins=4, num_boards=0).save(tmp_path)
    assert BipartiteGraph.open(tmp_path).pin_degrees.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(folder, name, kept):
    """Cut in the magic, in the header, before the first element and in the last one."""
    path = folder / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtifactDamagedError, match=name):
        BipartiteGraph.open(folder)


def test_a_missing_file_is_refused(folder):
    """The sentence names the file."""
    (folder / "board_pins.npy").unlink()
    with pytest.raises(ArtifactDamagedError, match="board_pins"):
        BipartiteGraph.open(folder)


@pytest.mark.parametrize(
    ("name", "array", "word"),
    [
        ("pin_boards", np.zeros(3, np.int64), "int64"),
        ("pin_boards", np.zeros((3, 1), np.int32), r"\[3, 1\]"),
        ("pin_boards", np.array([{}], object), "cannot be read"),
        ("pin_offsets", np.array([0, 1, 3, 2], np.int64), "from 0 to 2"),
        ("pin_offsets", np.array([1, 1, 3, 3], np.int64), "from 1 to 3"),
        ("pin_offsets", np.array([0, 4, 1, 3], np.int64), "end before they begin"),
        ("board_offsets", np.empty(0, np.int64), "nowhere"),
        ("board_pins", np.zeros(2, np.int32), "board_offsets"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(folder, name, array, word):
    """A wrong type or shape, a pickle, rows that do not add up: each named in the sentence."""
    np.save(folder / f"{name}.npy", array, allow_pickle=True)
    with pytest.raises(ArtifactDamagedError, match=word):
        BipartiteGraph.open(folder)


def test_two_sides_with_different_saves_are_refused(folder):
    """Both sides can be whole and still be of different graphs."""
    np.save(folder / "board_offsets.npy", np.array([0, 2, 2], np.int64))
    np.save(folder / "board_pins.npy", np.zeros(2, np.int32))
    with pytest.raises(ArtifactDamagedError, match="3 saves by pin and 2 by board"):
        BipartiteGraph.open(folder)


@pytest.mark.parametrize(("name", "place", "word"), [("pin_boards", 1, "board"), ("board_pins", 2, "pin")])
@pytest.mark.parametrize("bit", [3, 30, 31])
def test_a_flipped_bit_that_leads_out_of_the_graph_is_named(folder, name, place, word, bit):
    """Opening does not read the columns; checking them names the file and the number, before a walk follows it."""
    path = folder / f"{name}.npy"
    content = bytearray(path.read_bytes())
    content[len(content) - 4 * (3 - place) + bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    graph = BipartiteGraph.open(folder)
    wrong = int(getattr(graph, name)[place])
    with pytest.raises(ArtifactDamagedError, match=rf"{name}\.npy holds the {word} {wrong} where {word}s run from 0"):
        graph.check_columns(folder)


def test_a_sound_graph_passes_the_check(folder):
    """With and without weights; so does a graph without saves."""
    BipartiteGraph.open(folder).check_columns(folder)
    weigh(folder)
    BipartiteGraph.open(folder).check_columns(folder)
    none = np.empty(0, np.int32)
    build_graph(none, none, num_pins=0, num_boards=0).check_columns(folder)


def weigh(folder, values=(1.0, 2.0, 0.5)):
    """Give the saved graph weights on both sides."""
    for name in WEIGHTS:
        np.save(folder / f"{name}.npy", np.array(values, np.float32))


def test_weights_are_optional_and_come_in_twos(folder):
    """None where there are none; one side alone is damage."""
    assert BipartiteGraph.open(folder).pin_weights is None
    weigh(folder)
    assert BipartiteGraph.open(folder).board_weights.tolist() == [1.0, 2.0, 0.5]
    (folder / "pin_weights.npy").unlink()
    with pytest.raises(ArtifactDamagedError, match="pin_weights"):
        BipartiteGraph.open(folder)


def test_weights_of_another_length_are_refused(folder):
    """One weight per save."""
    weigh(folder, (1.0, 2.0))
    with pytest.raises(ArtifactDamagedError, match=r"float32 \[2\] instead of float32 \[3\]"):
        BipartiteGraph.open(folder)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_weight_that_is_no_positive_number_is_named(folder, wrong):
    """A walk would otherwise never take, or always take, that save."""
    weigh(folder, (1.0, wrong, 0.5))
    with pytest.raises(ArtifactDamagedError, match=rf"pin_weights\.npy holds the weight {wrong}"):
        BipartiteGraph.open(folder).check_columns(folder)

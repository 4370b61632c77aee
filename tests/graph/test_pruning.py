"""The board of all sorts goes, and the saves of a hub to boards unlike it; all else stays."""

import numpy as np
import pytest
from catalog_world import catalog_of, graph_of, saves_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError, SettingsError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import NAMES
from pinsage.graph.pruning import PRIOR_PAIRS, board_entropy, pruned
from pinsage.settings import GraphSettings

# Pins 0-3 are of the garden, 4-7 of chess, 8-11 of pasta; boards 0, 1, 2 hold one kind each and board 3 one of each.
# Board 4 has a garden pin alone. Pin 0 is the hub: it is also on boards 1, 2 and 3.
KINDS = [[kind] for kind in ("garden", "chess", "pasta") for _ in range(4)]
SAVES = sorted(
    {*((pin // 4, pin) for pin in range(12)), *((3, pin) for pin in (1, 5, 9)), (4, 2), *((b, 0) for b in (1, 2, 3))}
)


def world(folder):
    catalog = catalog_of(folder, [(*save, 0) for save in SAVES], num_pins=12, annotations=KINDS)
    return graph_of(catalog, SAVES), catalog


def test_the_board_of_all_sorts_is_dropped(tmp_path):
    """One of five boards: board 3, with all its saves and nothing else."""
    graph, catalog = world(tmp_path)
    kept, figures = pruned(graph, catalog, GraphSettings(prune_board_share=0.2))
    assert saves_of(kept) == {save for save in SAVES if save[0] != 3}
    assert (figures.pruned_boards, figures.pruned_saves_of_boards, figures.pruned_saves_of_pins) == (1, 4, 0)
    assert figures.mean_board_entropy < figures.mean_board_entropy_unpruned
    assert kept.num_boards == 5


def test_a_hub_keeps_the_saves_to_boards_like_it(tmp_path):
    """Pin 0 is on four boards and keeps ceil(4 ** 0.4) = 2: of the garden and of all sorts, not chess or pasta."""
    graph, catalog = world(tmp_path)
    kept, figures = pruned(graph, catalog, GraphSettings(prune_delta=0.4))
    assert {board for board, pin in saves_of(kept) if pin == 0} == {0, 3}
    assert {board for board, pin in saves_of(kept) if pin == 2} == {0, 4}  # ceil(2 ** 0.4) = 2
    assert (figures.pruned_boards, figures.pruned_saves_of_pins) == (0, 2)


def test_both_steps_follow_each_other(tmp_path):
    """Without board 3 the hub has three boards left and keeps ceil(3 ** 0.3) = 2 of them, the garden among them."""
    graph, catalog = world(tmp_path)
    kept, _ = pruned(graph, catalog, GraphSettings(prune_board_share=0.2, prune_delta=0.3))
    boards = {board for board, pin in saves_of(kept) if pin == 0}
    assert 0 in boards
    assert len(boards) == 2
    assert 3 not in {board for board, _ in saves_of(kept)}


def test_a_board_that_nothing_is_known_of_stays(tmp_path):
    """However large the share: only boards of two known pins are judged."""
    saves = [(0, 0), (0, 1), (1, 2), (1, 3), (2, 0)]
    catalog = catalog_of(tmp_path, [(*save, 0) for save in saves], num_pins=4, annotations=[["aa"], ["bb"], [], []])
    kept, _ = pruned(graph_of(catalog, saves), catalog, GraphSettings(prune_board_share=0.99))
    assert saves_of(kept) == {(1, 2), (1, 3), (2, 0)}


def test_topics_that_are_not_there_cannot_be_asked_for(tmp_path):
    """The sentence has the settings, the sizes and the way out."""
    catalog = catalog_of(tmp_path, [(0, 1, 1)])
    with pytest.raises(
        SettingsError, match=r"prune_board_share 0\.1 .* 10 pins and 1 boards .*annotations, or set them"
    ):
        pruned(graph_of(catalog, [(0, 1)]), catalog, GraphSettings(prune_board_share=0.1))


class Sizes:
    """All that pruning asks of the catalog of a random graph once topics are planted."""

    num_pins, num_boards = 12, 7


def random_graph(rng, num_pins=12, num_boards=7):
    """A graph with about a third of all saves, and topics of which some are unknown."""
    boards, pins = (column.astype(np.int32) for column in np.nonzero(rng.random((num_boards, num_pins)) < 0.35))
    topics = rng.integers(-127, 128, (num_pins, 64)).astype(np.int8)
    topics[rng.random(num_pins) < 0.2] = 0
    return build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards), topics


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_entropy_is_the_mean_dissimilarity_of_two_pins(seed):
    """Against all ordered pairs of each board, with twenty pairs of the average of all boards added."""
    graph, topics = random_graph(np.random.default_rng(seed))
    unit = topics / np.maximum(np.linalg.norm(topics.astype(float), axis=1, keepdims=True), 1e-9)
    on_board = [
        [pin for board, pin in sorted(saves_of(graph)) if board == row and topics[pin].any()] for row in range(7)
    ]
    cosines = [[unit[a] @ unit[b] for a in pins for b in pins if a != b] for pins in on_board]
    average = sum(map(sum, cosines)) / max(sum(map(len, cosines)), 1)
    slow = [1 - (sum(some) + PRIOR_PAIRS * average) / (len(some) + PRIOR_PAIRS) if some else np.nan for some in cosines]
    assert board_entropy(graph, topics) == pytest.approx(slow, nan_ok=True)


@given(st.integers(0, 2**31), st.sampled_from([0.3, 0.7, 0.91, 1.0]), st.sampled_from([0.0, 0.3, 0.6]))
@settings(max_examples=40, deadline=None)
def test_pruning_is_what_sorting_by_hand_gives(seed, delta, share):
    """Boards by entropy, then each pin's boards by the cosine with the sum of their other pins."""
    rng = np.random.default_rng(seed)
    graph, topics = random_graph(rng)
    if not topics.any():
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinsage.graph.pruning.pin_topics", lambda catalog, graph: topics)
        kept, figures = pruned(graph, Sizes, GraphSettings(prune_board_share=share, prune_delta=delta))
    saves = saves_of(graph)
    entropy = board_entropy(graph, topics)
    order = sorted((row for row in range(7) if not np.isnan(entropy[row])), key=lambda row: -entropy[row])
    dropped = order[: int(share * len({board for board, _ in saves}))]
    left = {save for save in saves if save[0] not in dropped}
    assert saves_of(kept) == {save for pin in range(12) for save in slow_fitting(pin, left, topics, delta)}
    assert figures.pruned_saves_of_boards + figures.pruned_saves_of_pins == len(saves) - kept.num_saves
    again = build_graph(
        *(np.array(sorted(saves_of(kept)), np.int32).reshape(-1, 2).T[::-1].copy()), num_pins=12, num_boards=7
    )
    assert all(np.array_equal(getattr(kept, name), getattr(again, name)) for name in NAMES)


def slow_fitting(pin, saves, topics, delta):
    """The saves that a pin keeps."""
    unit = topics / np.maximum(np.linalg.norm(topics.astype(float), axis=1, keepdims=True), 1e-9)
    own = sorted(board for board, other in saves if other == pin)

    def misfit(board):
        others = sum((unit[other] for row, other in saves if row == board and other != pin), np.zeros(64))
        length = np.linalg.norm(others)
        return round(-float(unit[pin] @ others) / length, 5) if length > 1e-3 else 0.0

    return [(board, pin) for board in sorted(own, key=misfit)[: int(np.ceil(len(own) ** delta - 1e-9))]]


def test_a_graph_of_another_catalog_is_refused(tmp_path):
    """Compiled code would read past the categories of its boards."""
    graph, _ = world(tmp_path / "a")
    other = catalog_of(tmp_path / "b", [(0, 1, 1)], annotations=[["aa"], *[["bb"]] * 9])
    with pytest.raises(DatasetError, match=r"12 pins and 5 boards, .* 10 and 1\."):
        pruned(graph, other, GraphSettings(prune_board_share=0.5))


def test_nothing_pruned_is_the_graph_itself(tmp_path):
    """A share too small for one board makes no copy."""
    graph, catalog = world(tmp_path)
    assert pruned(graph, catalog, GraphSettings(prune_board_share=0.01))[0] is graph

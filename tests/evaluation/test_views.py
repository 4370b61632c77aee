"""The three questions, on saves small enough to list."""

import numpy as np

from pinsage.evaluation.views import split_views, training_partners
from pinsage.graph.build import build_graph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import EvaluateSettings

SETTINGS = EvaluateSettings()


def graph_of(*boards, num_pins):
    """A graph whose board b holds the pins boards[b]."""
    saves = [(pin, board) for board, pins in enumerate(boards) for pin in pins]
    pins, rows = np.array(saves, np.int32).T
    return build_graph(pins.copy(), rows.copy(), num_pins=num_pins, num_boards=len(boards))


def lists(found):
    """The pins of each row."""
    return [found.part(row, row + 1).pins.tolist() for row in range(len(found))]


GRAPH = graph_of([0, 1, 2], [3, 2], [5], num_pins=6)
TRAIN = Pairs(np.array([0, 1, 3], np.int32), np.array([1, 2, 2], np.int32))
# Board 0 holds out 3 and 5 after 2; board 1 holds out 1 after 2, which board 0 has in training the other way round.
HELD_OUT = HeldOutPairs(*np.array([[2, 3, 0], [3, 5, 0], [2, 1, 1]], np.int32).T.copy())


def test_all_pairs_are_asked_with_every_pin_as_candidate():
    """By query, none left out; the board comes along."""
    split = split_views("test", HELD_OUT, TRAIN, GRAPH, SETTINGS)
    assert split.queries.tolist() == [2, 3]
    assert lists(split.all.targets.positives) == [[3, 1], [5]]
    assert split.all.targets.excluded is None
    assert split.all.board.tolist() == [0, 1, 0]


def test_new_pairs_are_no_training_pairs_in_either_direction():
    """(2, 3) and (2, 1) are known from (3, 2) and (1, 2); the partners of 2 and of 3 are no candidates."""
    split = split_views("test", HELD_OUT, TRAIN, GRAPH, SETTINGS)
    assert lists(split.new.targets.positives) == [[], [5]]
    assert lists(split.new.targets.excluded) == [[1, 3], [2]]
    assert split.new.board.tolist() == [0]


def test_boards_ask_for_their_held_out_pins_and_leave_out_their_own():
    """Board 2 holds nothing out."""
    boards = split_views("test", HELD_OUT, TRAIN, GRAPH, SETTINGS).boards
    assert boards.boards.tolist() == [0, 1]
    assert lists(boards.pins) == lists(boards.targets.excluded) == [[0, 1, 2], [2, 3]]
    assert lists(boards.targets.positives) == [[3, 5], [1]]


def test_engagements_and_boards_without_training_saves_ask_no_board_question():
    """Board -1 is none; board 3 exists, but the graph has no save of it."""
    graph = build_graph(np.array([0, 1], np.int32), np.array([0, 0], np.int32), num_pins=6, num_boards=4)
    pairs = HeldOutPairs(*np.array([[2, 3, -1], [3, 5, 3]], np.int32).T.copy())
    split = split_views("test", pairs, TRAIN, graph, SETTINGS)
    assert len(split.boards.boards) == 0
    assert split.num_pairs == 2


def test_more_than_allowed_is_sampled_by_the_seed():
    """50 of 400 pairs and 5 of 20 boards, the same twice; the boards sampled keep all of their held-out pins."""
    rng = np.random.default_rng(0)
    graph = graph_of(*[[board] for board in range(20)], num_pins=60)
    many = HeldOutPairs(
        *np.stack([rng.integers(20, size=400), 20 + np.arange(400) % 40, np.arange(400) % 20], 0).astype(np.int32)
    )
    settings = EvaluateSettings(max_pairs=50, max_boards=5)
    none = Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32))
    first, second = (split_views("test", many, none, graph, settings) for _ in range(2))
    other = split_views("test", many, none, graph, settings.model_copy(update={"seed": 1}))
    assert first.num_pairs == 50
    assert first.all.targets.positives.pins.tolist() == second.all.targets.positives.pins.tolist()
    assert first.all.targets.positives.pins.tolist() != other.all.targets.positives.pins.tolist()
    assert lists(first.boards.targets.positives) == [
        np.unique(many.positive[many.board == board]).tolist() for board in first.boards.boards
    ]
    assert len(first.boards.boards) == 5


def test_known_partners_are_unique_and_ascending(monkeypatch):
    """A pair that is trained on twice, and a chunk for every pair."""
    monkeypatch.setattr("pinsage.evaluation.views._CHUNK_PAIRS", 1)
    train = Pairs(np.array([4, 4, 1, 4], np.int32), np.array([2, 2, 4, 0], np.int32))
    assert lists(training_partners(np.array([3, 4], np.int32), train, 6)) == [[], [0, 1, 2]]


def test_no_pairs_have_empty_views():
    """A split that holds nothing."""
    none = HeldOutPairs(*(np.zeros(0, np.int32) for _ in range(3)))
    split = split_views("validation", none, TRAIN, GRAPH, SETTINGS)
    assert (split.num_pairs, len(split.queries), len(split.boards.boards)) == (0, 0, 0)

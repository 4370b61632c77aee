"""The walks, one at a time in plain Python, with the same draws as the compiled ones; and small worlds to walk in."""

from collections import Counter
from dataclasses import replace

import numpy as np

from pinsage.graph.build import build_graph

WORD = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mixed(bits):
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & WORD
    return bits ^ (bits >> 31)


def draw(seed, pin, walk, number):
    """The draw called `number` (from 1) of one walk: a function of these four and nothing else."""
    begin = mixed((mixed(seed) + GOLDEN * (pin + 1)) & WORD)
    return mixed((begin + GOLDEN * (256 * walk + number)) & WORD)


def visits(graph, pin, plan):
    """Visits of each pin other than the start, in order of first visit: 512 walks go side by side."""
    counts = Counter()
    for first in range(0, plan.num_walks, 512):
        walks = dict.fromkeys(range(first, min(first + 512, plan.num_walks)), pin)
        for hop in range(plan.max_traversals):
            walks = {walk: moved(graph, here, draw(plan.seed, pin, walk, 2 * hop + 1)) for walk, here in walks.items()}
            walks = {walk: here for walk, here in walks.items() if here is not None}
            counts.update(here for here in walks.values() if here != pin)
            walks = {walk: here for walk, here in walks.items() if goes_on(plan, pin, walk, 2 * hop + 2)}
    return counts


def moved(graph, pin, bits):
    """The pin that a traversal with this draw leads to, or None from an isolated pin."""
    boards = graph.pin_boards[graph.pin_offsets[pin] : graph.pin_offsets[pin + 1]]
    if len(boards) == 0:
        return None
    board = boards[((bits >> 32) * len(boards)) >> 32]
    pins = graph.board_pins[graph.board_offsets[board] : graph.board_offsets[board + 1]]
    return int(pins[((bits & 0xFFFFFFFF) * len(pins)) >> 32])


def goes_on(plan, pin, walk, number):
    return (draw(plan.seed, pin, walk, number) >> 32) >= round(plan.restart * 2**32)


def top_visited(graph, pins, plan, top):
    """The result that pinsage.walks.random_walk.top_visited should give."""
    found, weights = np.full((len(pins), top), -1, np.int32), np.zeros((len(pins), top), np.float32)
    for row, pin in enumerate(pins):
        best = visits(graph, int(pin), plan).most_common()[:top]  # of equals the one visited first
        for column, (visited, count) in enumerate(best):
            found[row, column] = visited
            weights[row, column] = count / sum(count for _, count in best)
    return found, weights


def steps(graph, weights=None):
    """float64 [P, P]: the chance of going from one pin to another in one traversal; weights are a number per save."""
    moves = np.zeros((graph.num_pins, graph.num_boards))
    for pin in range(graph.num_pins):
        rows = slice(graph.pin_offsets[pin], graph.pin_offsets[pin + 1])
        moves[pin, graph.pin_boards[rows]] = 1 if weights is None else weights[rows]
    to_boards = moves / np.maximum(moves.sum(axis=1, keepdims=True), 1e-300)
    to_pins = moves.T / np.maximum(moves.sum(axis=0)[:, None], 1e-300)
    return to_boards @ to_pins


def expected_visits(graph, plan, weights=None):
    """float64 [P, P]: how often a walk from one pin is at another, on average; none at where it began."""
    step, visits = steps(graph, weights), np.zeros((graph.num_pins, graph.num_pins))
    here = np.eye(graph.num_pins)
    for hop in range(plan.max_traversals):
        here = here @ step
        visits += (1 - plan.restart) ** hop * here
    np.fill_diagonal(visits, 0)
    return visits


def scrambled(pin, key):
    bits = pin ^ key
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) % 2**32
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) % 2**32
    return bits ^ (bits >> 16)


def ranked(graph, pin, neighbors, plan):
    """The pins that walks reach, most visited first, equals by their scrambled number; without the neighbors."""
    order = mixed((mixed(plan.seed) + GOLDEN * (pin + 1)) & WORD) & 0xFFFFFFFF
    counts = visits(graph, pin, plan)
    others = [visited for visited in counts if visited not in neighbors]
    offsets = graph.pin_offsets.tolist()
    return sorted(others, key=lambda visited: (-counts[visited], -scrambled(offsets[visited], order)))


def sampled(graph, band, pin, plan, size):
    """The `size` pins of a band with the largest scrambled numbers, by a second key."""
    sample, offsets = mixed((mixed(plan.seed) + GOLDEN * (pin + 1)) & WORD) >> 32, graph.pin_offsets.tolist()
    return sorted(band, key=lambda candidate: -scrambled(offsets[candidate], sample))[:size]


def graph_of(saves, num_pins, num_boards):
    """The graph of a list of (pin, board)."""
    pairs = np.array(saves, np.int32).reshape(-1, 2)
    return build_graph(pairs[:, 0], pairs[:, 1], num_pins=num_pins, num_boards=num_boards)


def with_weights(graph, weights):
    """The graph with a weight per save, given by pin; the same the other way round."""
    keys = np.repeat(np.arange(graph.num_pins), graph.pin_degrees), graph.pin_boards
    by_board = np.lexsort(keys)
    return replace(graph, pin_weights=weights.astype(np.float32), board_weights=weights[by_board].astype(np.float32))


def random_graph(num_pins, num_boards, num_saves, seed=0):
    """Saves drawn with a skew towards small rows, unique; the last tenth of the pins is isolated."""
    rng = np.random.default_rng(seed)
    pins = (rng.random(num_saves) ** 2 * num_pins * 0.9).astype(np.int64)
    boards = (rng.random(num_saves) ** 2 * num_boards).astype(np.int64)
    keys = np.unique(boards * num_pins + pins)
    return graph_of(np.stack([keys % num_pins, keys // num_pins], axis=1), num_pins, num_boards)

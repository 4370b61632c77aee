"""The walks, one at a time in plain Python, with the same draws as the compiled ones; and small worlds to walk in."""

from collections import Counter

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
    return mixed((begin + GOLDEN * (128 * walk + number)) & WORD)


def visits(graph, pin, plan):
    """How often each pin other than the start is visited."""
    counts = Counter()
    for walk in range(plan.num_walks):
        here = pin
        for hop in range(plan.max_hops):
            boards = graph.pin_boards[graph.pin_offsets[here] : graph.pin_offsets[here + 1]]
            if len(boards) == 0:
                break
            bits = draw(plan.seed, pin, walk, 2 * hop + 1)
            board = boards[((bits >> 32) * len(boards)) >> 32]
            pins = graph.board_pins[graph.board_offsets[board] : graph.board_offsets[board + 1]]
            here = int(pins[((bits & 0xFFFFFFFF) * len(pins)) >> 32])
            counts.update([here] if here != pin else [])
            if (draw(plan.seed, pin, walk, 2 * hop + 2) >> 32) < round(plan.restart * 2**32):
                break
    return counts


def top_visited(graph, pins, plan, top):
    """What pinsage.walks.random_walk.top_visited should give."""
    found, weights = np.full((len(pins), top), -1, np.int32), np.zeros((len(pins), top), np.float32)
    for row, pin in enumerate(pins):
        counts = visits(graph, int(pin), plan)
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
        for column, (visited, count) in enumerate(best):
            found[row, column] = visited
            weights[row, column] = count / sum(count for _, count in best)
    return found, weights


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
    return sorted(others, key=lambda visited: (-counts[visited], -scrambled(visited, order)))


def sampled(band, pin, plan, size):
    """The `size` pins of a band with the largest scrambled numbers, by a second key."""
    sample = mixed((mixed(plan.seed) + GOLDEN * (pin + 1)) & WORD) >> 32
    return sorted(band, key=lambda candidate: -scrambled(candidate, sample))[:size]


def graph_of(saves, num_pins, num_boards):
    """The graph of a list of (pin, board)."""
    pairs = np.array(saves, np.int32).reshape(-1, 2)
    return build_graph(pairs[:, 0], pairs[:, 1], num_pins=num_pins, num_boards=num_boards)


def random_graph(num_pins, num_boards, num_saves, seed=0):
    """Saves drawn with a skew towards small rows, unique; the last tenth of the pins is isolated."""
    rng = np.random.default_rng(seed)
    pins = (rng.random(num_saves) ** 2 * num_pins * 0.9).astype(np.int64)
    boards = (rng.random(num_saves) ** 2 * num_boards).astype(np.int64)
    keys = np.unique(boards * num_pins + pins)
    return graph_of(np.stack([keys % num_pins, keys // num_pins], axis=1), num_pins, num_boards)

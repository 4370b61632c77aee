"""The compiled parts of a minibatch: expansion with re-indexing, and the transpose of a neighbor table.

P pins, T neighbors, K layers; n_0 <= ... <= n_K as in `minibatch`.

A mark per pin says where the pin is in the batch under way: stamp of the batch in the upper half, position in the lower
one. A mark of an earlier batch is smaller than any of this one, so nothing is ever cleared, and one cache line answers
both questions.
"""

import numpy as np
from numba import njit

from pinsage.walks.compiled import prefetch

_FAR, _NEAR = 32, 16
_LINE = 16  # int32 or float32 values in a cache line
_ROWS_AHEAD, _MARKS_AHEAD = 12, 3  # rows of the table, and rows whose marks, are on their way while one is rewritten


@njit(nogil=True, cache=True)
def expanded(targets, neighbors, weights, marks, nodes, stamp, num_layers):  # type: ignore[no-untyped-def]
    """Number the targets and what `num_layers` expansions add, and rewrite the neighborhoods in those numbers.

    Args:
        targets: int32 [n], all within the table.
        neighbors: int32 [P, T]. `weights`: float [P, T].
        marks: int64 [P], `nodes`: int32 [P]: this thread's own, written to.
        stamp: one more than that of the batch before, below 2^31.

    Returns:
        nodes int32 [n_K], positions int32 [n] of the targets, sizes int64 [K + 1], local neighbors int32 [n_{K-1}, T],
        their weights [n_{K-1}, T], and a neighbor that is not a pin of the table, or -1.
    """
    base = np.int64(stamp) << 32
    positions, sizes = np.empty(len(targets), np.int32), np.zeros(num_layers + 1, np.int64)
    count = 0
    for i in range(len(targets)):
        count = _numbered(targets[i], base, count, marks, nodes)
        positions[i] = marks[targets[i]] - base
    sizes[0] = count

    # The expansions before the last one only find out who is reached: their rows are rewritten with all others below.
    first, stray = 0, np.int32(-1)
    for layer in range(1, num_layers):
        last = count
        count, stray = _reached(first, last, neighbors, base, count, marks, nodes)
        first = last
        sizes[layer] = count
    num_rows = count if num_layers and stray == -1 else 0
    table = np.empty((num_rows, neighbors.shape[1]), np.int32)
    own_weights = np.empty(table.shape, weights.dtype)
    if num_rows:
        count, stray = _rewritten(table, own_weights, neighbors, weights, base, marks, nodes)
    sizes[num_layers] = count
    return nodes[:count].copy(), positions, sizes, table, own_weights, stray


@njit(nogil=True, cache=True)
def _numbered(pin, base, count, marks, nodes):  # type: ignore[no-untyped-def]
    """How many pins have a number once this one has."""
    if marks[pin] < base:
        marks[pin] = base | count
        nodes[count] = pin
        return count + 1
    return count


@njit(nogil=True, cache=True)
def _reached(first, last, neighbors, base, count, marks, nodes):  # type: ignore[no-untyped-def]
    """Number the neighbors of the nodes `first` to `last` - 1; how many have a number now, and a stray one or -1."""
    num_pins = len(marks)
    for row in range(first, last):
        for t in range(neighbors.shape[1]):
            pin = neighbors[nodes[row], t]
            if np.uint32(pin) >= num_pins:
                return count, pin
            count = _numbered(pin, base, count, marks, nodes)
    return count, np.int32(-1)


@njit(nogil=True, cache=True)
def _rewritten(table, own_weights, neighbors, weights, base, marks, nodes):  # type: ignore[no-untyped-def]
    """Fill the local tables of the first nodes, and number who appears there; as `_reached`."""
    count, width, num_pins = len(table), neighbors.shape[1], len(marks)
    last = count - 1
    for row in range(len(table)):
        later = nodes[min(row + _ROWS_AHEAD, last)] * np.int64(width)
        for t in range(0, width, _LINE):
            prefetch(neighbors, later + t)
            prefetch(weights, later + t)
        soon = neighbors[nodes[min(row + _MARKS_AHEAD, last)]]
        for t in range(width):
            prefetch(marks, soon[t])
        own, own_weight = neighbors[nodes[row]], weights[nodes[row]]
        for t in range(width):
            pin = own[t]
            if np.uint32(pin) >= num_pins:
                return count, pin
            count = _numbered(pin, base, count, marks, nodes)
            table[row, t] = marks[pin] - base
            own_weights[row, t] = own_weight[t]
    return count, np.int32(-1)


@njit(nogil=True, cache=True)
def transposed(table, num_nodes):  # type: ignore[no-untyped-def]
    """The places of each node in a table of positions: offsets int32 [num_nodes + 1], places int32 [table.size]."""
    flat = table.ravel()
    num_places = len(flat)
    cursor = np.zeros(num_nodes + 1, np.int32)
    for place in range(num_places):
        prefetch(cursor, flat[min(place + _FAR, num_places - 1)])
        cursor[flat[place]] += 1
    offsets, total = np.empty(num_nodes + 1, np.int32), np.int32(0)
    for node in range(num_nodes + 1):
        offsets[node] = total
        total += cursor[node]
        cursor[node] = offsets[node]
    places = np.empty(num_places, np.int32)
    for place in range(num_places):
        prefetch(cursor, flat[min(place + _FAR, num_places - 1)])
        prefetch(places, cursor[flat[min(place + _NEAR, num_places - 1)]])
        node = flat[place]
        places[cursor[node]] = place
        cursor[node] += 1
    return offsets, places

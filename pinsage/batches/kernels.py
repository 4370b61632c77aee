"""The compiled parts of a minibatch: expansion with re-indexing, and the transpose of a neighbor table.

P pins, T neighbors, K layers; n_0 <= ... <= n_K as in `minibatch`.

A mark per pin says where the pin is in the batch under way: the batch's stamp in the upper half, the position in the
lower one. A mark of an earlier batch is smaller than any of this one, so nothing is ever cleared, and one cache line
answers both questions. What a later row needs is fetched ahead: most of the time would be spent waiting for memory.
Giving a pin its number stands here three times: as a function it would count references to its arrays at every call,
which made the whole nine times slower.
"""

import numpy as np
from numba import njit

from pinsage.compiled.prefetch import prefetch

NONE_STRAY = np.int64(2**31)  # no int32, so no neighbor, is this
_LINE = 16  # int32 or float32 values in a cache line
_ROWS_AHEAD, _MARKS_AHEAD = 12, 3  # rows of the table, and rows whose marks, are on their way while one is rewritten
_COUNTS_AHEAD, _PLACES_AHEAD = 32, 16  # entries of the table, for its transpose


@njit(nogil=True, cache=True)
def expand(targets, neighbors, weights, marks, nodes, stamp, num_layers):  # type: ignore[no-untyped-def]
    """Number the targets and what `num_layers` expansions add, and rewrite the neighborhoods in those numbers.

    Args:
        targets: int32 [n], all within the table.
        neighbors: int32 [P, T]. `weights`: float [P, T].
        marks: int64 [P], `nodes`: int32 [P]: this thread's own, written to.
        stamp: one more than that of the batch before, below 2^31.

    Returns:
        nodes int32 [n_K], positions int32 [n] of the targets, sizes int64 [K + 1], local neighbors int32 [n_{K-1}, T],
        their weights [n_{K-1}, T], and a neighbor that is not a pin of the table, or NONE_STRAY.
    """
    # Marks of this batch begin at `base`: one comparison tells them from those of all batches before.
    base = np.int64(stamp) << 32
    positions, sizes = np.empty(len(targets), np.int32), np.zeros(num_layers + 1, np.int64)
    count = 0
    for i in range(len(targets)):
        pin = targets[i]
        if marks[pin] < base:
            marks[pin] = base | count
            nodes[count] = pin
            count += 1
        positions[i] = marks[pin] - base
    sizes[0] = count
    first, stray = 0, NONE_STRAY
    # The expansions before the last one only find out who is reached: their rows are rewritten with all others below.
    for layer in range(1, num_layers):
        first, (count, stray) = count, _number_neighbors(first, count, neighbors, base, marks, nodes)
        sizes[layer] = count
        if stray != NONE_STRAY:
            break
    num_rows = count if num_layers and stray == NONE_STRAY else 0
    table = np.empty((num_rows, neighbors.shape[1]), np.int32)  # [n_{K-1}, T]
    own_weights = np.empty((num_rows, neighbors.shape[1]), weights.dtype)
    if num_rows:
        count, stray = _rewrite(table, own_weights, neighbors, weights, base, marks, nodes)
        sizes[num_layers] = count
    return nodes[:count].copy(), positions, sizes, table, own_weights, stray


@njit(nogil=True, cache=True)
def _number_neighbors(first, last, neighbors, base, marks, nodes):  # type: ignore[no-untyped-def]
    """Number the neighbors of nodes `first` to `last` - 1: how many are numbered now, and a stray one or NONE_STRAY."""
    count = last
    for row in range(first, last):
        for t in range(neighbors.shape[1]):
            pin = neighbors[nodes[row], t]
            # Unsigned, a negative pin is too large as well: one comparison checks both bounds.
            if np.uint32(pin) >= len(marks):
                return count, np.int64(pin)
            if marks[pin] < base:
                marks[pin] = base | count
                nodes[count] = pin
                count += 1
    return count, NONE_STRAY


@njit(nogil=True, cache=True)
def _rewrite(table, own_weights, neighbors, weights, base, marks, nodes):  # type: ignore[no-untyped-def]
    """Fill `table` and `own_weights` with the rows of all nodes so far, and number the nodes that they add."""
    width, count = table.shape[1], len(table)
    for row in range(len(table)):
        # Two distances: a row must have arrived before its pins are known whose marks are fetched in turn.
        later = nodes[min(row + _ROWS_AHEAD, count - 1)] * np.int64(width)
        for t in range(0, width, _LINE):
            prefetch(neighbors, later + t)
            prefetch(weights, later + t)
        soon = neighbors[nodes[min(row + _MARKS_AHEAD, count - 1)]]
        for t in range(width):
            prefetch(marks, soon[t])
        own, own_weight = neighbors[nodes[row]], weights[nodes[row]]
        for t in range(width):
            pin = own[t]
            if np.uint32(pin) >= len(marks):
                return count, np.int64(pin)
            if marks[pin] < base:
                marks[pin] = base | count
                nodes[count] = pin
                count += 1
            table[row, t] = marks[pin] - base
            own_weights[row, t] = own_weight[t]
    return count, NONE_STRAY


@njit(nogil=True, cache=True)
def transpose(table, num_nodes):  # type: ignore[no-untyped-def]
    """The places of each node in a table of positions: offsets int32 [num_nodes + 1], places int32 [table.size]."""
    flat = table.ravel()
    last = len(flat) - 1
    cursor = np.zeros(num_nodes + 1, np.int32)
    for place in range(len(flat)):
        prefetch(cursor, flat[min(place + _COUNTS_AHEAD, last)])
        cursor[flat[place]] += 1
    offsets, total = np.empty(num_nodes + 1, np.int32), np.int32(0)  # [num_nodes + 1]
    for node in range(num_nodes + 1):
        offsets[node] = total
        total += cursor[node]
        cursor[node] = offsets[node]
    # The counts have become cursors: the second pass leaves the places of each node in ascending order.
    places = np.empty(len(flat), np.int32)
    for place in range(len(flat)):
        prefetch(cursor, flat[min(place + _COUNTS_AHEAD, last)])
        prefetch(places, cursor[flat[min(place + _PLACES_AHEAD, last)]])
        places[cursor[flat[place]]] = place
        cursor[flat[place]] += 1
    return offsets, places

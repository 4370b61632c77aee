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
    base, num_pins, width = np.int64(stamp) << 32, len(marks), neighbors.shape[1]
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

    # The expansions before the last one only find out who is reached: their rows are rewritten with all others below.
    first = 0
    for layer in range(1, num_layers):
        last = count
        for row in range(first, last):
            for t in range(width):
                pin = neighbors[nodes[row], t]
                if np.uint32(pin) >= num_pins:
                    return nodes[:0].copy(), positions, sizes, neighbors[:0].copy(), weights[:0].copy(), pin
                if marks[pin] < base:
                    marks[pin] = base | count
                    nodes[count] = pin
                    count += 1
        first = last
        sizes[layer] = count

    num_rows = count if num_layers else 0
    table, own_weights = np.empty((num_rows, width), np.int32), np.empty((num_rows, width), weights.dtype)
    for row in range(num_rows):
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
            if np.uint32(pin) >= num_pins:
                return nodes[:0].copy(), positions, sizes, table, own_weights, pin
            if marks[pin] < base:
                marks[pin] = base | count
                nodes[count] = pin
                count += 1
            table[row, t] = marks[pin] - base
            own_weights[row, t] = own_weight[t]
    sizes[num_layers] = count
    return nodes[:count].copy(), positions, sizes, table, own_weights, np.int32(-1)


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

"""Sessions: short runs of saves that follow each other on a board, closer to one another than the board as a whole.

N training saves of some boards; the saves of a board lie together in the order of time.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.pairs.timeline import sort_by_board_and_pin
from pinsage.store.row_groups import Int32Writer


class SessionWriter:
    """A writer of sessions, whole boards at a time, which numbers them in that order."""

    def __init__(self, file: Int32Writer, length: int) -> None:
        """Write `session` and `pin` to `file`; `length` saves make a session."""
        self.num_sessions = 0
        self._file, self._length = file, length

    def write(self, boards: NDArray[np.int32], pins: NDArray[np.int32]) -> None:
        """Append the sessions of some boards; `boards` and `pins` are int32 [N]."""
        # Numbered within the block; a board is never cut by one, so no session spans two.
        sessions = session_numbers(boards, self._length)
        is_in = sessions >= 0
        self._file.write(*sort_by_board_and_pin(sessions[is_in] + np.int32(self.num_sessions), pins[is_in]))
        self.num_sessions += int(sessions.max(initial=-1)) + 1


def session_numbers(boards: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """The session of each save, int32 [N], from 0; -1 where a board has one save, or `length` is below 2.

    Every `length` saves of a board are a session. The rest is one, too, unless it is a single save, which joins the
    session before it: alone it would connect nothing.
    """
    if length < 2:
        return np.full(len(boards), -1, np.int32)
    begins = np.flatnonzero(np.diff(boards, prepend=-1))  # of boards
    sizes = np.diff(begins, append=len(boards))
    num_sessions = sessions_of_boards(sizes, length)
    places = np.arange(len(boards)) - np.repeat(begins, sizes)  # of each save on its board, [N]
    within = np.minimum(places // length, np.repeat(num_sessions - 1, sizes))  # -1 where there are none
    first = np.repeat(np.cumsum(num_sessions) - num_sessions, sizes)  # session of each save's board, [N]
    return np.where(within < 0, -1, first + within).astype(np.int32)


def sessions_of_boards(sizes: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The number of sessions of boards with so many training saves: int64 [B].

    Args:
        sizes: int64 [B].
        length: of a session; below 2 there are none.
    """
    if length < 2:
        return np.zeros(len(sizes), np.int64)
    # Rounded up, but a single save left over joins the session before it.
    num_sessions: NDArray[np.int64] = -(-sizes // length) - (sizes % length == 1)
    return num_sessions


def same_sessions(
    boards: NDArray[np.int32], sizes: NDArray[np.int64], known_sizes: NDArray[np.int64], length: int
) -> NDArray[np.int32]:
    """The row of each session among the sessions of an earlier split; -1 where that has no such session.

    Sessions have no ids. The third one of a board is taken for the third one of that board then: boards grow at their
    end, so that all sessions but the last hold the same saves.

    Args:
        boards: int32 [B], the row of each board then; -1 for a board that came later.
        sizes: int64 [B], training saves of each board now.
        known_sizes: int64 [B then], the same of then.
        length: of a session, now and then.

    Returns:
        int32 [R], by session of now.
    """
    num, known_num = sessions_of_boards(sizes, length), sessions_of_boards(known_sizes, length)
    place = np.arange(num.sum()) - np.repeat(np.cumsum(num) - num, num)  # of each session on its board, [R]
    board = np.repeat(boards, num)  # then, [R]
    known_first = np.cumsum(known_num) - known_num  # [B then]
    is_known = (board >= 0) & (place < np.append(known_num, 0)[board])
    return np.where(is_known, np.append(known_first, 0)[board] + place, -1).astype(np.int32)

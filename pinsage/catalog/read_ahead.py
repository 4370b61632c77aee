"""Work on one piece while the next is being made: two threads, for code that lets go of the interpreter's lock."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def ahead(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces in the same order; the next one is made in a thread while the caller works on this one.

    What making a piece raises is raised here, in its turn.
    """
    coming, end = iter(pieces), object()
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, coming, end)
        while (piece := waiting.result()) is not end:
            waiting = thread.submit(next, coming, end)
            yield piece  # type: ignore[misc]

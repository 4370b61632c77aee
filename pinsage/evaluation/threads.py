"""Methods at the same time: most of their time goes into compiled code on one core, which lets other threads run."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_MOST = 4  # each holds a chunk of scores, see `pinsage.evaluation.ranking`


In = TypeVar("In")
Out = TypeVar("Out")


def map_in_threads(function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """The results of the items, in their order, worked on by a few threads."""
    with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _MOST)) as pool:
        return list(pool.map(function, items))

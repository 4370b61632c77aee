"""Faults of the machine, as against damage: memory that ran out, a file that may not be opened, a disk that is full."""

import errno
import mmap

from pinsage.errors import DiskFullError, MachineError, MemoryShortError, PinSageError
from pinsage.store.disk import FULL

SHOWN_CHARACTERS = 300
RESERVE_BYTES = 8 << 20
# What an OSError says where the file itself is the trouble: it is not there, or is of another kind or size.
_OF_THE_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)
# Libraries below Python have errors of their own for memory: PyTorch, pyarrow, the loader of shared objects, threads.
_OF_MEMORY = ("allocate memory", "failed to map segment", "can't start new thread", "bad_alloc", "malloc of size")
_reserve: list[mmap.mmap] = []


def keep_memory_reserve() -> None:
    """Keep room aside in which a process whose memory ran out can still clear away and say so.

    Before 3.14 CPython allocates an integer to handle an error, and where it gets none it tries again without an end
    (https://github.com/python/cpython/issues/132508). The room is address space; no page of it is touched.
    """
    if not _reserve:
        _reserve.append(mmap.mmap(-1, RESERVE_BYTES))


def give_up_memory_reserve() -> None:
    """Use the room that was kept aside, if any; `machine_error` does so by itself."""
    _reserve.clear()  # the map ends with its last reference


def is_machine_fault(error: BaseException) -> bool:
    """Return whether an error says nothing about the content of a file, so that nobody may delete it for that."""
    return _is_memory_short(error) or (
        isinstance(error, OSError) and error.errno is not None and error.errno not in _OF_THE_FILE
    )


def machine_error(error: BaseException) -> PinSageError | None:
    """The error of one sentence for a fault of the machine; None where it is something else."""
    if is_memory_short := _is_memory_short(error):
        give_up_memory_reserve()
    said = str(error).strip().partition("\n")[0][:SHOWN_CHARACTERS] or type(error).__name__
    if is_memory_short:
        return MemoryShortError(
            f"Memory ran out ({said}). Give the process more, or run less beside it, and run again: what was published "
            "is reused."
        )
    # Libraries raise OSErrors of their own, without a number: these say nothing about the machine.
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if error.errno in FULL:
        return DiskFullError(f"A disk is full ({said}). Free space and run again.")
    return MachineError(
        f"The operating system refused a call ({said}). Correct permissions, path or device, and run again."
    )


def _is_memory_short(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    is_of_a_library = isinstance(error, RuntimeError | ImportError | OSError)
    return is_of_a_library and any(words in str(error) for words in _OF_MEMORY)

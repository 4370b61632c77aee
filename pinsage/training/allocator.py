"""The C library's allocator under the tensors of a CPU: freed memory is kept for the next ones.

By default glibc gives every large block back to the kernel when a tensor dies, and the next tensor gets zeroed pages,
one fault per 4 KiB: at hundreds of MB per tensor that is a third of a training step.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt(3)
_NEVER = -1
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65_536}


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Let the memory that tensors free serve the next ones while the block runs; give it back to the kernel after.

    The process stays as large as its largest moment, plus what falls between tensors of different sizes. Where the C
    library is not glibc nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for name, value in _DEFAULTS.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)

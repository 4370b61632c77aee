"""The device of training: which one, in which precision, and its memory.

N_k nodes are read by layer k, n_k come out of it; D + E columns of the inputs, m hidden width.
"""

import ctypes
import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import torch

from pinsage.batches.minibatch import Minibatch
from pinsage.errors import DeviceMemoryError, SettingsError
from pinsage.model.shape import NetworkShape
from pinsage.settings.schema import TrainSettings

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt(3)
_NEVER = -1
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65_536}


def choose_device(settings: TrainSettings) -> torch.device:
    """The device the settings ask for; `auto` takes a GPU when there is one.

    Raises:
        SettingsError: a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if settings.device == "cuda" and not has_gpu:
        raise SettingsError("train.device is 'cuda', but PyTorch sees no GPU here. Use 'auto' or 'cpu', or a GPU node.")
    if has_gpu and settings.device != "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def choose_precision(settings: TrainSettings, device: torch.device) -> torch.dtype:
    """The type of the matrix products; `auto` takes bf16 where the hardware multiplies in it, and float32 elsewhere.

    Raises:
        SettingsError: bf16 is asked for and the GPU would emulate it.
    """
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bf16()
    if settings.precision == "bf16" and device.type == "cuda" and not has_bf16:
        raise SettingsError(
            f"train.precision is 'bf16', which {torch.cuda.get_device_name(device)} does not compute in. Use 'float32'."
        )
    is_mixed = settings.precision == "bf16" or (settings.precision == "auto" and has_bf16)
    return torch.bfloat16 if is_mixed else torch.float32


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this processor multiplies in bf16 (AVX-512 BF16 or AMX); False if the system does not say."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    # PyTorch does not say what a CPU multiplies natively; elsewhere bf16 is emulated and slower.
    flags = re.findall(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return bool(flags) and not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags[0].split())


def use_threads(settings: TrainSettings, num_processes: int = 1) -> None:
    """Let PyTorch use as many CPU threads as the settings say, or this process's part of the cores it may run on."""
    torch.set_num_threads(settings.num_threads or max(1, len(os.sched_getaffinity(0)) // num_processes))


@contextmanager
def explain_full_device(
    batch: Minibatch, sizes: Callable[[], tuple[int, ...]], shape: NetworkShape, settings: TrainSettings
) -> Iterator[None]:
    """Turn "CUDA out of memory" into an error that says what to lower.

    Args:
        batch: of the step in the block.
        sizes: gives n_0, ..., n_K of its sub-graph, as far as it was expanded.
        shape, settings: of the training.

    Raises:
        DeviceMemoryError: in place of PyTorch's error.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise DeviceMemoryError(_advice(batch, sizes(), shape, settings)) from None


def step_gb(sizes: tuple[int, ...], shape: NetworkShape, bytes_per_number: int) -> float:
    """Estimate the memory that a step keeps for its backward pass, in GB.

    Inputs raw and standardized; per layer two [N, m] of the projection, the pooled vectors, and three [n, m] of the
    output.

    Args:
        sizes: n_0, ..., n_K of the sub-graph.
        bytes_per_number: of the hidden vectors, 2 for bf16; the inputs are float32.
    """
    numbers = sum(before * 2 * shape.hidden_dim + after * 4 * shape.hidden_dim for after, before in pairwise(sizes))
    return (sizes[-1] * 2 * shape.num_features * 4 + numbers * bytes_per_number) / 1e9


def _advice(batch: Minibatch, sizes: tuple[int, ...], shape: NetworkShape, settings: TrainSettings) -> str:
    is_mixed = settings.precision != "float32"
    needed = step_gb(sizes, shape, 2 if is_mixed else 4)
    # About half the pairs touch about half the pins: rough, but it tells whether that is enough.
    halves = step_gb(tuple(size // 2 for size in sizes), shape, 2 if is_mixed else 4)
    ways = [
        f"train.batch_size to {max(2, settings.batch_size // 2)} ({needed:.2g} to about {halves:.2g} GB)",
        f"model.hidden_dim from {shape.hidden_dim} to {shape.hidden_dim // 2} (nearly half)",
    ]
    if not is_mixed:
        ways.append(f"train.precision to bf16 (to {step_gb(sizes, shape, 2):.2g} GB)")
    if shape.num_layers:
        neighbors = batch.subgraph.neighbors.shape[1]
        ways.append(
            f"walk.num_neighbors from {neighbors} to {max(1, neighbors // 2)} (most of the nodes are neighbors)"
        )
    return (
        f"The GPU's memory ({_total_gb():.0f} GB) does not hold step {batch.step}: its {settings.batch_size} pairs "
        f"touch {sizes[-1]} pins, which takes about {needed:.2g} GB beside the weights. "
        f"Lower {', '.join(ways[:-1])} or {ways[-1]}."
    )


def _total_gb() -> float:
    return torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 1e9


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Let the memory that tensors free serve the next ones while the block runs; give it back to the kernel after.

    By default glibc gives every large block back when a tensor dies, and the next tensor gets zeroed pages, one fault
    per 4 KiB: at hundreds of MB per tensor that is a third of a training step on a CPU. Sub-graphs differ in size from
    step to step, so that the process would grow by the gaps between their tensors: call `return_freed_memory` now and
    then. Where the C library is not glibc nothing changes.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    # No mmap for large blocks, whose pages go back as soon as they are freed; and no trimming of the heap.
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for name, value in _DEFAULTS.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)


def return_freed_memory() -> None:
    """Give the kernel the pages that hold no tensor at this moment; the next step gets back those it needs."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None

"""Several processes that train one network together, each on its share of every minibatch (PinSage §3.3).

Started by torchrun, one process (rank) per GPU; on CPU they speak over gloo. N ranks, B pairs, S shared negatives.

The loss of one process is L = 1/B Σ_q loss(q). Rank r has the mean over its B/N queries, L_r, so that L = 1/N Σ_r L_r.
A query's loss also reads embeddings that other ranks made: all S shared negatives, and the positives of all B pairs.
They are gathered, and on the way back each rank is given the sum over all ranks of the gradients of what it made. What
then flows into its weights is the gradient of Σ_r L_r as far as it passes through this rank's embeddings. The mean of
that over the ranks, which DistributedDataParallel takes, is 1/N Σ_r dL_r/dθ: the gradient of L.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pinsage.batches.builder import Share
from pinsage.errors import SettingsError
from pinsage.settings.schema import TrainSettings


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together: number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """True in the process that speaks, validates and writes."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """Its part of every minibatch."""
        return Share(self.rank, self.count)

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all ranks, in the order of ranks, with gradients: float [n, d] -> float [N n, d]."""
        if self.count == 1:
            return rows
        everyones: Tensor = _Gathered.apply(rows, self)  # type: ignore[no-untyped-call]
        return everyones

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each value over the ranks."""
        if self.count > 1:
            dist.all_reduce(values)
            values /= self.count
        return values

    def any(self, is_so: bool) -> bool:
        """Return whether it is so on any rank. All ranks have to ask."""
        if self.count == 1:
            return is_so
        # On the CPU, where gloo carries it: a question after each step must not wait for the GPU.
        told = torch.tensor(int(is_so))
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told)

    def broadcast(self, value: float) -> float:
        """The first rank's number; the others' are ignored. All ranks have to ask."""
        if self.count == 1:
            return value
        # In float64 a Python number arrives as it left, and all ranks compare the same.
        told = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(told, 0)
        return float(told)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients that are means over the ranks; itself where there is one rank."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)


ALONE = Ranks()


class _Gathered(torch.autograd.Function):
    """The rows of all ranks; the backward pass sums, over ranks, the gradients of one's own."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks, ctx.num_rows = ranks, len(rows)
        parts = [torch.empty_like(rows) for _ in range(ranks.count)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        # Every rank's loss has asked something of these rows: the sum brings it back to the one that made them.
        dist.all_reduce(total)
        first = ctx.ranks.rank * ctx.num_rows
        return total[first : first + ctx.num_rows], None


def this_rank() -> Ranks:
    """The rank of this process: alone, unless `join_ranks` is open."""
    return Ranks(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else ALONE


@contextmanager
def join_ranks(meeting: Path) -> Iterator[Ranks]:
    """Join the processes that torchrun started with this one; all of them run on this machine.

    They meet in a file instead of at torchrun's server, which would listen on every network interface.

    Args:
        meeting: a file of theirs alone that does not exist before.

    Yields:
        this process among them.
    """
    has_gpu = torch.cuda.is_available()
    for library in ("GLOO", "NCCL"):
        # All ranks are on this machine, and neither library asks who speaks to it: loopback only.
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend, rank, count = "cpu:gloo,cuda:nccl" if has_gpu else "gloo", os.environ["RANK"], os.environ["WORLD_SIZE"]
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=int(rank), world_size=int(count))
    yield this_rank()
    dist.destroy_process_group()  # not after an error: the others may wait for this process in a sum


def num_processes(settings: TrainSettings) -> int:
    """The number of processes on this machine: one per visible GPU, unless the settings say a number.

    Raises:
        SettingsError: there are fewer GPUs, or the minibatch cannot be shared evenly.
    """
    num_gpus = torch.cuda.device_count() if settings.device != "cpu" else 0
    count = settings.num_processes or max(1, num_gpus)
    if 0 < num_gpus < count:
        raise SettingsError(
            f"train.num_processes is {count}, and PyTorch sees {num_gpus} GPUs. Use at most one process per GPU."
        )
    if settings.batch_size % count:
        raise SettingsError(
            f"A minibatch of train.batch_size {settings.batch_size} cannot be shared evenly by {count} processes. Use "
            f"{-(-settings.batch_size // count) * count}, or another train.num_processes."
        )
    return count

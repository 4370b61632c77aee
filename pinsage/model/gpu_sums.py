"""Weighted sums of table rows on a GPU, by a Triton kernel that reads a row in wide words.

There PyTorch's own `embedding_bag` reads every number of a row by itself, at a quarter of the memory's speed in bf16
(docs/performance.md). The sums are the same, number by number: in float32, in the order of the rows. Import this module
where Triton is installed, as PyTorch for CUDA brings it along.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_WIDEST = 2048  # columns that one program adds up
_PER_WARP = 256  # of them for 32 threads: eight numbers, 16 bytes of bf16, a thread


def weighted_sums(table: Tensor, rows: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """The weighted sum of the rows of each bag: see `pooling.weighted_sums`."""
    num_bags, width = len(offsets) - 1, table.shape[1]
    out = torch.empty((num_bags, width), dtype=table.dtype, device=table.device)
    if out.numel() == 0:  # also a network without the vectors of saves pools them, no columns wide
        return out
    columns = min(_WIDEST, triton.next_power_of_2(width))
    grid = (num_bags, triton.cdiv(width, columns))
    with torch.cuda.device(table.device):
        _add_rows[grid](
            out, table.contiguous(), rows, weights, offsets, width,
            COLUMNS=columns, num_warps=max(1, columns // _PER_WARP),
        )  # fmt: skip
    return out


@triton.jit  # type: ignore[untyped-decorator]
def _add_rows(out, table, rows, weights, offsets, width, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    bag = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = columns < width
    total = tl.zeros([COLUMNS], tl.float32)
    for place in range(tl.load(offsets + bag), tl.load(offsets + bag + 1)):
        row = tl.load(rows + place).to(tl.int64)  # row * width may not fit 32 bits
        vector = tl.load(table + row * width + columns, mask=inside, other=0.0).to(tl.float32)
        total += tl.load(weights + place).to(tl.float32) * vector
    tl.store(out + bag * width + columns, total.to(out.dtype.element_ty), mask=inside)

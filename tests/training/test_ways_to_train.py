"""Where and how it is computed decides how fast, and not what: streamed or resident, by one producer or by several."""

import re
import threading

import numpy as np
import pytest
import torch
from planted_world import losses, outcome

from pinsage.batches.minibatch import NeighborSampler
from pinsage.errors import DeviceMemoryError
from pinsage.model.network import SubgraphTensors
from pinsage.model.shape import NetworkShape
from pinsage.training import device
from pinsage.training.device import choose_precision, cpu_has_bf16, explain_full_device, step_gb
from pinsage.training.loader import Resident, num_producers
from pinsage.training.loop import fit


def trained(world, **changes):
    start = world(**changes)
    return outcome(fit(start.data, start.model, start.train))


@pytest.fixture(scope="module")
def streamed(world):
    """One producer gathers, the default on a CPU."""
    return trained(world)


@pytest.mark.parametrize(
    "changes", [{"resident": "always"}, {"num_producers": 4}, {"resident": "always", "num_producers": 2}]
)
def test_the_ways_end_with_the_same_bits(world, streamed, changes):
    """The sub-graphs are equal node by node, so the sums are too."""
    assert trained(world, **changes) == streamed


def test_a_resident_sub_graph_is_the_one_the_producer_makes(world):
    """Nodes, sizes, neighbors, weights, transposes and features of K = 0, 1 and 2, one batch after the other."""
    data = world().data
    neighbors, weights = data.tables()
    for num_layers in (0, 1, 2):
        cpu = torch.device("cpu")
        resident = Resident(data.features, neighbors, weights, num_layers=num_layers, device=cpu)
        for seed in range(3):
            targets = np.random.default_rng(seed).integers(240, size=20, dtype=np.int32)
            batch, _ = NeighborSampler(neighbors, weights, num_layers=0).sample(targets)
            expected, _ = NeighborSampler(neighbors, weights, num_layers=num_layers).sample(targets, transposed=True)
            features, found = resident(Holder(batch))
            np.testing.assert_array_equal(features.numpy(), data.features.rows(expected.nodes))
            np.testing.assert_equal(plain(found), plain(SubgraphTensors.of(expected, cpu)))


class Holder:
    """The part of a minibatch that the resident inputs look at."""

    def __init__(self, subgraph):
        self.subgraph = subgraph


def plain(tensors):
    transposes = [(offsets.tolist(), positions.tolist()) for offsets, positions in tensors.transposes]
    return tensors.nodes.tolist(), tensors.sizes, tensors.neighbors.tolist(), tensors.weights.tolist(), transposes


def test_no_thread_is_left_however_training_ends(world):
    """By itself, by an error in a producer, and by one in the trainer."""
    start = world(num_producers=3)
    fit(start.data, start.model, start.train)

    def fail(metrics, step):
        raise KeyError("trainer")

    with pytest.raises(KeyError):
        fit(start.data, start.model, start.train, log_metrics=fail)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("batch-producer")] == []


@pytest.mark.parametrize("loss", ["max_margin", "sampled_softmax"])
def test_bf16_follows_float32(world, loss):
    """Matrix products in bf16: the same curve to a tenth, the same hit rate to a few pairs."""
    exact, rough = (fit_at(world, precision, loss) for precision in ("float32", "bf16"))
    np.testing.assert_allclose(losses(rough), losses(exact), rtol=0.1)
    assert losses(rough) != losses(exact)
    assert abs(rough.best_hit_rate - exact.best_hit_rate) < 0.06
    assert (exact.precision, rough.precision) == ("float32", "bfloat16")
    assert all(weights.dtype == torch.float32 for weights in rough.network.parameters())


def fit_at(world, precision, loss):
    start = world(precision=precision, loss=loss, steps=80)
    return fit(start.data, start.model, start.train)


@pytest.mark.parametrize(("flags", "has_bf16"), [
    ("fpu avx2 avx512f avx512_bf16", True), ("fpu amx_bf16 amx_tile", True), ("fpu avx2 avx512f", False), (None, False),
])  # fmt: skip
def test_auto_precision_asks_the_processor(world, tmp_path, monkeypatch, flags, has_bf16):
    """bf16 where it multiplies in it; float32 where it does not, or nobody knows."""
    cpuinfo = tmp_path / "cpuinfo"
    if flags:
        cpuinfo.write_text(f"processor : 0\nflags\t\t: {flags}\nbugs : none\n")
    assert cpu_has_bf16(cpuinfo) == has_bf16
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: has_bf16)
    expected = torch.bfloat16 if has_bf16 else torch.float32
    assert choose_precision(world(precision="auto").train, torch.device("cpu")) == expected


def test_producers_are_chosen_by_the_device_unless_they_are_set(world, monkeypatch):
    """One beside a CPU, which needs its cores itself; most of the cores beside a GPU, and a process's part of them."""
    train = world().train
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    assert num_producers(train, torch.device("cpu"), 1) == 1
    assert num_producers(train, torch.device("cuda"), 1) == 8
    assert num_producers(train, torch.device("cuda"), 4) == 3
    assert num_producers(train.model_copy(update={"num_producers": 5}), torch.device("cuda"), 1) == 5


def test_a_step_that_does_not_fit_the_gpu_is_said_with_what_to_lower(world, monkeypatch):
    """Facts with both values, advice with what it would bring."""
    start = world(precision="float32", batch_size=32)
    subgraph, _ = NeighborSampler(*start.data.tables(), num_layers=2).sample(np.arange(100, dtype=np.int32))
    batch = Holder(subgraph)
    batch.step = 7
    monkeypatch.setattr(device, "_total_gb", lambda: 16.0)
    shape = NetworkShape((("visual", 6),), 2, 16, 8, "importance")
    with (
        pytest.raises(DeviceMemoryError) as caught,
        explain_full_device(batch, lambda: subgraph.sizes, shape, start.train),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert re.fullmatch(
        r"The GPU's memory \(16 GB\) does not hold step 7: its 32 pairs touch 100 pins, which takes about \S+ GB "
        r"beside the weights\. Lower train\.batch_size to 16 \(\S+ to about \S+ GB\), model\.hidden_dim from 16 to 8 "
        r"\(nearly half\), train\.precision to bf16 \(to \S+ GB\) or walk\.num_neighbors from 8 to 4 \(most of .*\)\.",
        str(caught.value),
    )


def test_the_memory_of_a_step_is_counted_by_its_shapes():
    """One node, m = 10, D = 5, K = 1: 2 x 5 inputs, 2 x 10 projected, 4 x 10 pooled and out, of 4 bytes."""
    assert step_gb((1, 1), NetworkShape((("text", 5),), 1, 10, 3, "mean"), 4) == pytest.approx(4 * 70 / 1e9)

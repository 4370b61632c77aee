"""Training and inference on a GPU: what a CPU makes, again to the bit, and a sentence where memory ends."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planted_world import killed_at, losses, outcome

from pinsage.batches.builder import Share
from pinsage.errors import DeviceMemoryError
from pinsage.features.matrix import FeatureMatrix
from pinsage.inference import embed_all
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.training.loader import Loader
from pinsage.training.loop import fit
from pinsage.walks.neighborhood import Neighborhoods

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")
GPU = torch.device("cuda", 0)
HERE = Path(__file__).parent
LOSSES = [{"loss": "max_margin"}, {"loss": "sampled_softmax"}, {"loss": "sampled_softmax", "are_pairs_drawn": True}]


def with_saves(world, **settings):
    """The world with vectors of its saves, so that the linear path has something to carry."""
    start = world(**settings)
    num_pins, visual = start.data.features.num_pins, start.data.features.block("visual")
    spectral = np.random.default_rng(3).normal(size=(num_pins, 8)).astype(np.float32)
    blocks = {"visual": visual, "spectral": spectral, "has_saves": np.ones(num_pins, np.float32)}
    blocks["log_degree"] = start.data.features.block("log_degree")
    return replace(start, data=replace(start.data, features=FeatureMatrix(blocks)))


def trained(world, **settings):
    start = with_saves(world, **{"device": "cuda", **settings})
    return fit(start.data, start.model, start.train)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [0, 5, 128, 300, 2048, 2500])
def test_the_kernel_adds_as_pytorch_does(width, dtype):
    """To the bit, an empty bag and one of many rows included."""
    pytest.importorskip("triton")
    from pinsage.model.gpu_sums import weighted_sums

    rng = torch.Generator(GPU).manual_seed(0)
    table = torch.randn(1000, width, device=GPU, generator=rng).to(dtype)
    offsets = torch.tensor([0, 3, 3, 10, 700], dtype=torch.int32, device=GPU)
    rows = torch.randint(1000, (700,), dtype=torch.int32, device=GPU, generator=rng)
    weights = torch.rand(700, device=GPU, generator=rng).to(dtype)
    assert torch.equal(
        weighted_sums(table, rows, weights, offsets),
        torch.nn.functional.embedding_bag(
            rows, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
        ),
    )


@pytest.mark.parametrize("num_columns", [16, 21])
def test_rows_of_any_width_are_embedded_as_on_a_cpu(num_columns):
    """Rows that are no multiple of 16 bytes are padded on a GPU."""
    rng = np.random.default_rng(0)
    features = FeatureMatrix({"visual": rng.normal(size=(200, num_columns)).astype(np.float32)})
    near = Neighborhoods(rng.integers(200, size=(200, 5), dtype=np.int32), np.full((200, 5), 0.2, np.float32))
    network = PinSageNetwork(NetworkShape((("visual", num_columns),), 2, 32, 16, "importance"), seed=1).eval()
    on_cpu = embed_all(network, features, near)
    np.testing.assert_allclose(embed_all(network.to(GPU), features, near), on_cpu, atol=1e-5)


@pytest.mark.parametrize("settings", LOSSES)
def test_a_gpu_has_the_curve_of_a_cpu(world, settings):
    """Sums in another order, and no more: 40 steps in float32."""
    on_gpu, on_cpu = trained(world, **settings), trained(world, device="cpu", **settings)
    assert (on_gpu.device, on_cpu.device) == ("cuda", "cpu")
    np.testing.assert_allclose(losses(on_gpu), losses(on_cpu), rtol=1e-3)
    assert abs(on_gpu.best_hit_rate - on_cpu.best_hit_rate) < 0.02


@pytest.mark.parametrize("settings", LOSSES)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_ways_on_a_gpu_end_with_the_same_bits(world, settings, precision):
    """Streamed or resident, by one producer or several."""
    changes = {**settings, "precision": precision}
    first = trained(world, resident="never", num_producers=1, **changes)
    assert not first.is_resident
    for ways in ({"resident": "always"}, {"resident": "always", "num_producers": 4}, {"resident": "never"}):
        assert outcome(trained(world, **ways, **changes)) == outcome(first)


@pytest.mark.parametrize("resident", ["always", "never"])
def test_a_training_killed_on_a_gpu_ends_with_the_same_bits(world, tmp_path, resident):
    """Killed between two checkpoints, and run again."""
    start = with_saves(world, device="cuda", resident=resident, precision="bf16")
    killed_at(start, tmp_path, 25)
    result = fit(start.data, start.model, start.train, scratch=tmp_path)
    assert result.resumed_from == 21
    assert outcome(result) == outcome(fit(start.data, start.model, start.train))


def test_precision_is_bf16_where_the_gpu_has_it(world):
    """By itself; and its curve follows float32."""
    rough, exact = trained(world, precision="auto"), trained(world)
    assert (rough.precision, exact.precision) == ("bfloat16", "float32")
    np.testing.assert_allclose(losses(rough), losses(exact), rtol=0.1)
    assert losses(rough) != losses(exact)


@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
def test_embeddings_are_those_of_the_cpu(world, pooling):
    """Of one network, moved."""
    start = with_saves(world, device="cuda")
    model = start.model.model_copy(update={"pooling": pooling})
    network = fit(start.data, model, start.train).network
    on_gpu = embed_all(network, start.data.features, start.data.neighborhoods)
    on_cpu = embed_all(network.to("cpu"), start.data.features, start.data.neighborhoods)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-5)


def full_gpu_said(world, **settings):
    """The message when memory ends after some steps, at the first allocation that asks the driver."""
    start = with_saves(world, device="cuda", **settings)

    def fill(metrics, step):
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1e-6)

    try:
        with pytest.raises(DeviceMemoryError) as caught:
            # Hidden vectors of a size that no freed block of a smaller tensor can serve.
            fit(start.data, start.model.model_copy(update={"hidden_dim": 2048}), start.train, log_metrics=fill)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return str(caught.value)


def test_a_full_gpu_is_said_with_what_to_lower(world):
    """The pins that the step touches are counted in both ways, also where the GPU itself expands the sub-graph."""
    said = {full_gpu_said(world, resident=resident) for resident in ("always", "never")}
    assert len(said) == 1
    assert re.match(r"The GPU's memory \(\d+ GB\) does not hold step 5: its 32 pairs touch 2\d\d pins", said.pop())


def test_tables_that_do_not_fit_the_gpu_are_said(world):
    """Before the first step, and with the way out."""
    start = world(device="cuda", resident="always")
    wide = FeatureMatrix({"visual": np.zeros((start.data.features.num_pins, 20_000), np.float32)})
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        with pytest.raises(DeviceMemoryError, match=r"no room for the features .* \(\S+ GB\). Use 'auto' or 'never'"):
            Loader.of(replace(start.data, features=wide), start.model, start.train, share=Share(), device=GPU)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_process_that_joined_others_trains_alike(world, tmp_path):
    """NCCL carries the sums of the ranks; one rank of one has the curve of a process alone."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1]), *sys.path])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    command += [str(HERE / "train_on_ranks.py"), str(tmp_path), "cuda"]
    subprocess.run(command, check=True, timeout=300, env=environment)
    together = json.loads((tmp_path / "0.json").read_text())["sampled softmax"]
    start = world(device="cuda", loss="sampled_softmax")
    alone = fit(start.data, start.model, start.train)
    np.testing.assert_allclose(together["losses"], losses(alone), atol=1e-5, rtol=0)

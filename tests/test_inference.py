"""Embeddings of all pins: in one process, in parts, and pin by pin from its own sub-graph."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pinsage import inference
from pinsage.batches.minibatch import NeighborSampler
from pinsage.cluster.exchange import SharedFolders
from pinsage.errors import InputError, PinSageError
from pinsage.features.matrix import FEATURE_STAGES, FeatureMatrix
from pinsage.inference import InferenceJob, embed_all, embed_by_parts
from pinsage.model.file import load_network, save_network
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.training.validation import embed_pins
from pinsage.walks.neighborhood import Neighborhoods

P, T = 300, 4


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 32 pins, so that 300 pins are ten of them."""
    monkeypatch.setattr(inference, "CHUNK", 32)
    monkeypatch.setattr("pinsage.model.layerwise.CHUNK", 32)


def job_of(folder: Path, num_layers=2, pooling="importance", linear=True):
    """Artifact folders as the stages publish them, with a few isolated pins."""
    rng = np.random.default_rng(0)
    names = ("train", *FEATURE_STAGES, "walk")
    for name in (*names, "scratch", "out"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "featurize_visual/visual.npy", rng.normal(size=(P, 5)).astype(np.float32))
    np.save(folder / "featurize_visual/has_picture.npy", np.ones(P, bool))
    np.save(folder / "featurize_text/text.npy", rng.normal(size=(P, 3)).astype(np.float32))
    np.save(folder / "featurize_text/has_text.npy", np.ones(P, bool))
    np.save(folder / "featurize_saves/spectral.npy", rng.normal(size=(P, 4)).astype(np.float32))
    np.save(folder / "featurize_saves/has_saves.npy", np.ones(P, bool))
    np.save(folder / "featurize_saves/log_degree.npy", np.log1p(rng.integers(9, size=P)).astype(np.float32))
    weights = rng.random((P, T), dtype=np.float32)
    weights[:5] = 0
    Neighborhoods(rng.integers(P, size=(P, T), dtype=np.int32), weights).save(folder / "walk")
    content = (("visual", 5), ("has_picture", 1), ("text", 3), ("has_text", 1))
    blocks = (*content, ("spectral", 4), ("has_saves", 1), ("log_degree", 1))
    save_network(
        PinSageNetwork(NetworkShape(blocks, num_layers, 8, 4, pooling, linear, P if linear else 0)), folder / "train"
    )
    return InferenceJob({name: folder / name for name in names}, folder / "scratch", folder / "out/embeddings.npy")


class Backwards:
    """Parts in reverse order, each after a trip through pickle as to a worker, the first one twice as after a death."""

    num_threads = 1

    def run(self, function, parts, *, label, sizes=None, on_result):
        function(*pickle.loads(pickle.dumps(parts[0])))  # noqa: S301 - what Dask does with arguments
        results = [function(*pickle.loads(pickle.dumps(part))) for part in reversed(parts)][::-1]  # noqa: S301
        for result in results:
            on_result(result)
        return results


@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
@pytest.mark.parametrize(("num_layers", "linear"), [(0, False), (0, True), (1, True), (2, False), (2, True)])
def test_parts_equal_one_process_and_the_minibatch_form(tmp_path, num_layers, linear, pooling):
    """Three ways to the same embeddings, to 1e-5."""
    job = job_of(tmp_path, num_layers, pooling, linear)
    facts = embed_by_parts(job, SharedFolders(), Backwards(), num_parts=3)
    by_parts = np.load(job.embeddings)
    network, features, neighborhoods = inference._read(job.inputs)
    assert facts.num_pins == P
    assert facts.num_zero == int((by_parts == 0).all(axis=1).sum())
    np.testing.assert_allclose(by_parts, embed_all(network, features, neighborhoods), atol=1e-5)
    sampler = NeighborSampler(neighborhoods.neighbors, neighborhoods.weights, num_layers=num_layers)
    with torch.no_grad():
        some = embed_pins(network, features.rows, sampler, np.arange(0, P, 7, dtype=np.int32))
    np.testing.assert_allclose(by_parts[::7], some.numpy(), atol=1e-5)


def test_any_partitioning_gives_the_same_bytes(tmp_path):
    """One part, three, ten, or more than there are chunks."""
    job, contents = job_of(tmp_path), set()
    for num_parts in (1, 3, 10, 1000):
        embed_by_parts(job, SharedFolders(), Backwards(), num_parts=num_parts)
        contents.add(job.embeddings.read_bytes())
    assert len(contents) == 1


def test_parts_cover_every_pin_once():
    """Borders lie on chunks, and nothing is lost at the end."""
    for num_parts in (1, 3, 7, 10, 50):
        borders = inference._borders(P, num_parts)
        assert [pin for first, last in borders for pin in range(first, last)] == list(range(P))
        assert all(first % 32 == 0 and last > first for first, last in borders)


def test_each_latent_vector_is_computed_once_and_nothing_is_left(tmp_path):
    """Per layer a pass that projects and one that pools, the linear path's, the head; what is between goes away."""
    job, labels = job_of(tmp_path), []

    class Counting(Backwards):
        def run(self, function, parts, *, label, sizes=None, on_result):
            assert sizes == [last - first for _, first, last in parts]
            written = super().run(function, parts, label=label, sizes=sizes, on_result=on_result)
            labels.append((label, sum(part.last - part.first for part in written)))
            return written

    embed_by_parts(job, SharedFolders(), Counting(), num_parts=4)
    kinds = [
        "project layer 1",
        "convolve layer 1",
        "project layer 2",
        "convolve layer 2",
        "saves layer 3",
        "head layer 3",
    ]
    assert labels == [(f"embed: {kind}", P) for kind in kinds]
    assert list(job.scratch.iterdir()) == []


def test_features_of_another_training_are_refused(tmp_path):
    """Both block lists are named."""
    job = job_of(tmp_path)
    network, features, neighborhoods = inference._read(job.inputs)
    with pytest.raises(InputError, match=r"trained on visual 5 \|.*features are visual 5 \| text 3"):
        embed_all(network, features.only("visual", "text"), neighborhoods)


def test_an_embedding_that_is_no_number_is_refused(tmp_path):
    """NaN does not get published."""
    job = job_of(tmp_path)
    network = load_network(job.inputs["train"])
    network.head_output.weight.data[0, 0] = torch.nan
    save_network(network, job.inputs["train"])
    with pytest.raises(PinSageError, match="embedding of pin 0 is not finite"):
        embed_by_parts(job, SharedFolders(), Backwards(), num_parts=2)


def test_a_network_without_convolutions_needs_no_neighborhoods():
    """The Combined baseline."""
    features = FeatureMatrix({"text": np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)})
    network = PinSageNetwork(NetworkShape((("text", 6),), 0, 8, 4, "importance"))
    vectors = embed_all(network, features, None)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

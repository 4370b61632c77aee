"""The stage embed on a real Dask cluster."""

import shutil

import numpy as np
import pytest
from separate_cluster import separate_cluster

from pinsage.cluster.exchange import SharedFolders
from pinsage.cluster.workers import Threads
from pinsage.inference import InferenceJob, embed_by_parts
from pinsage.model.file import save_network
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.settings.loading import load_settings
from pinsage.store.manifest import Manifest
from pinsage.walks.neighborhood import Neighborhoods
from tasks.embed import embed
from tasks.running.work import StageWork

P, T = 9000, 3  # three chunks of 4,096 pins, the last one short


@pytest.fixture
def inputs(tmp_path):
    """What earlier stages made, in folders that have not been published."""
    rng = np.random.default_rng(0)
    names = ("train", "featurize_visual", "featurize_text", "featurize_saves", "walk")
    inputs = {name: tmp_path / name for name in names}
    for folder in (*inputs.values(), tmp_path / "out", tmp_path / "scratch"):
        folder.mkdir()
    np.save(inputs["featurize_visual"] / "visual.npy", rng.normal(size=(P, 5)).astype(np.float32))
    np.save(inputs["featurize_visual"] / "has_picture.npy", np.ones(P, bool))
    np.save(inputs["featurize_text"] / "text.npy", rng.normal(size=(P, 3)).astype(np.float32))
    np.save(inputs["featurize_text"] / "has_text.npy", np.ones(P, bool))
    np.save(inputs["featurize_saves"] / "spectral.npy", rng.normal(size=(P, 4)).astype(np.float32))
    np.save(inputs["featurize_saves"] / "has_saves.npy", np.ones(P, bool))
    saves = np.unique(rng.integers([P, 50], size=(20_000, 2)), axis=0).astype(np.int32)
    np.save(inputs["featurize_saves"] / "log_degree.npy", np.log1p(np.bincount(saves[:, 0], minlength=P)).astype("f4"))
    weights = np.full((P, T), 1 / T, np.float32)
    Neighborhoods(rng.integers(P, size=(P, T), dtype=np.int32), weights).save(inputs["walk"])
    content = (("visual", 5), ("has_picture", 1), ("text", 3), ("has_text", 1))
    blocks = (*content, ("spectral", 4), ("has_saves", 1), ("log_degree", 1))
    network = PinSageNetwork(NetworkShape(blocks, 2, 16, 8, "importance"))
    network.popularity = 0.1
    save_network(network, inputs["train"])
    return inputs


@pytest.mark.parametrize("small_pins", [P, 0])
def test_workers_make_the_bytes_that_one_process_makes(tmp_path, inputs, monkeypatch, small_pins):
    """Two threads or processes, parts of whole chunks: the same file."""
    monkeypatch.setattr("pinsage.cluster.workers.SMALL_PINS", small_pins)
    settings = load_settings(overrides={"cluster.num_workers": 2})
    facts = embed(StageWork(settings, inputs, tmp_path / "out", tmp_path / "scratch", tmp_path))
    check(facts, inputs, tmp_path)


def test_workers_that_share_only_a_store_make_the_same_bytes(tmp_path, inputs, store_on_s3):
    """Artifacts are opened where they were published, arrays between passes go through the store and leave it."""
    for stage in inputs:
        with store_on_s3.artifacts.publish(Manifest(stage, "k", 1, {}, {}, {}, "test")) as draft:
            shutil.copytree(inputs[stage], draft.folder, dirs_exist_ok=True)
    published = {stage: store_on_s3.artifacts.folder(stage, "k") for stage in inputs}
    with separate_cluster(tmp_path) as address:
        settings = load_settings(overrides={"cluster.address": address})
        facts = embed(StageWork(settings, published, tmp_path / "out", tmp_path / "scratch", store_on_s3.home))
    check(facts, inputs, tmp_path)
    assert store_on_s3.bucket("scratch").names() == []
    copies = {path.name.partition("-")[0] for path in tmp_path.glob("host*/*/pinsage/cache/store/copies/*")}
    assert copies == {*inputs, "scratch"}


def check(facts, inputs, tmp_path):
    """The stage's files are those that one thread of this process makes in one part."""
    assert facts == {"num_pins": P, "num_zero_embeddings": 0, "popularity": 0.1}
    popularity = np.load(tmp_path / "out/popularity.npy")
    np.testing.assert_allclose(popularity, 0.1 * np.load(inputs["featurize_saves"] / "log_degree.npy"), rtol=1e-5)
    assert popularity.dtype == np.float32
    vectors = np.load(tmp_path / "out/embeddings.npy")
    assert (vectors.dtype, vectors.shape) == (np.float32, (P, 8))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    here = InferenceJob(inputs, tmp_path / "scratch", tmp_path / "here.npy")
    embed_by_parts(here, SharedFolders(), Threads(1), num_parts=1)
    np.testing.assert_array_equal(np.load(here.embeddings), vectors)

"""The stage embed on a real Dask cluster."""

import dask
import numpy as np
import pytest

from pinsage.cluster.exchange import SharedFolders
from pinsage.cluster.workers import Threads
from pinsage.config import load_settings
from pinsage.inference import InferenceJob, embed_by_parts
from pinsage.model.file import save_network
from pinsage.model.network import NetworkShape, PinSageNetwork
from pinsage.store.manifest import file_entries
from pinsage.walks.neighborhood import Neighborhoods
from tasks.embed import embed
from tasks.running.work import StageWork

P, T = 9000, 3  # three chunks of 4,096 pins, the last one short


@pytest.mark.parametrize(("store", "small_pins"), [("", P), ("", 0), ("store", P)])
def test_workers_make_the_bytes_that_one_process_makes(tmp_path, monkeypatch, store, small_pins):
    """Two threads or processes, parts of whole chunks, in shared folders or with a store between: the same file."""
    monkeypatch.setattr("pinsage.cluster.workers.SMALL_PINS", small_pins)
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
    degrees = np.bincount(saves[:, 0], minlength=P)
    np.save(inputs["featurize_saves"] / "log_degree.npy", np.log1p(degrees).astype(np.float32))
    weights = np.full((P, T), 1 / T, np.float32)
    Neighborhoods(rng.integers(P, size=(P, T), dtype=np.int32), weights).save(inputs["walk"])
    content = (("visual", 5), ("has_picture", 1), ("text", 3), ("has_text", 1))
    blocks = (*content, ("spectral", 4), ("has_saves", 1), ("log_degree", 1))
    network = PinSageNetwork(NetworkShape(blocks, 2, 16, 8, "importance"))
    network.popularity = 0.1
    save_network(network, inputs["train"])
    url = f"file://{tmp_path}/{store}" if store else ""
    settings = load_settings(overrides={"cluster.num_workers": 2, "cluster.store": url})

    with dask.config.set({"temporary-directory": str(tmp_path)}):
        facts = embed(StageWork(settings, inputs, tmp_path / "out", tmp_path / "scratch", tmp_path))

    assert facts == {"num_pins": P, "num_zero_embeddings": 0, "popularity": 0.1}
    popularity = np.load(tmp_path / "out/popularity.npy")
    np.testing.assert_allclose(popularity, 0.1 * np.log1p(degrees), rtol=1e-5)
    assert popularity.dtype == np.float32
    vectors = np.load(tmp_path / "out/embeddings.npy")
    assert (vectors.dtype, vectors.shape) == (np.float32, (P, 8))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    here = InferenceJob(inputs, tmp_path / "scratch", tmp_path / "here.npy")
    embed_by_parts(here, SharedFolders(), Threads(1), num_parts=1)
    np.testing.assert_array_equal(np.load(here.embeddings), vectors)
    if store:  # the arrays between passes went away, the artifacts may be used again
        names = {path.name for path in (tmp_path / "store/inputs").iterdir()}
        assert names == {entry.sha256 for folder in inputs.values() for entry in file_entries(folder)}
        assert list((tmp_path / "store/parts").iterdir()) == []

"""Embed every pin, in partitions on Dask, and say how popular it is."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from pinsage.cluster.through_store import open_exchange
from pinsage.cluster.workers import workers
from pinsage.features.matrix import FeatureMatrix
from pinsage.inference import EmbeddingFacts, InferenceJob, embed_by_parts
from pinsage.model.file import load_network
from pinsage.model.popularity import popularity_term
from pinsage.store.arrays import save_array
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork

log = logging.getLogger(__name__)
_PARTS_PER_THREAD = 8


def embed(work: StageWork) -> Facts:
    """Write the embeddings, and beside them what popularity adds to the cosine with each pin.

    Returns:
        how many embeddings there are, how many of them are zero, and the strength of popularity.

    Source: PinSage §3.4.
    """
    work.scratch.mkdir(parents=True, exist_ok=True)
    log_degree = FeatureMatrix.open(work.inputs).block("log_degree")[:, 0]
    # A folder of its own: an orphaned attempt that still runs must not write into the arrays between our passes.
    with TemporaryDirectory(dir=work.scratch, ignore_cleanup_errors=True) as between:
        embedded = _embed(work, Path(between), num_pins=len(log_degree))
    if embedded.num_zero:
        log.warning("embed: %d of %d pins have a zero vector", embedded.num_zero, embedded.num_pins)
    strength = load_network(work.inputs["train"]).popularity
    # Beside the vectors, so that whoever searches needs neither the network nor the graph.
    save_array(work.out / "popularity.npy", popularity_term(strength, log_degree))
    return {"num_pins": embedded.num_pins, "num_zero_embeddings": embedded.num_zero, "popularity": strength}


def _embed(work: StageWork, between: Path, *, num_pins: int) -> EmbeddingFacts:
    job = InferenceJob(work.inputs, scratch=between, embeddings=work.out / "embeddings.npy")
    cluster_settings = work.settings.cluster
    with (
        open_exchange(open_store(work.home), cluster_settings) as exchange,
        workers(cluster_settings, work.on_progress, num_pins=num_pins) as cluster,
    ):
        num_parts = _PARTS_PER_THREAD * cluster.num_threads
        return embed_by_parts(job, exchange, cluster, num_parts=num_parts)

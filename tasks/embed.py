"""Embed every pin, in partitions on Dask."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from pinsage.cluster.between import exchange_through
from pinsage.cluster.connection import connected
from pinsage.inference import EmbeddingFacts, InferenceJob, embed_by_parts
from pinsage.store.manifest import Facts
from tasks.work import StageWork

log = logging.getLogger(__name__)
_PARTS_PER_THREAD = 8


def embed(work: StageWork) -> Facts:
    """Facts of the embeddings: how many, and how many of them are zero. Source: PinSage §3.4."""
    work.scratch.mkdir(parents=True, exist_ok=True)
    # A folder of its own: an orphaned attempt that still runs must not write into the arrays between our passes.
    with TemporaryDirectory(dir=work.scratch, ignore_cleanup_errors=True) as between:
        embedded = _embedded(work, Path(between))
    if embedded.num_zero:
        log.warning("embed: %d of %d pins have a zero vector", embedded.num_zero, embedded.num_pins)
    return {"num_pins": embedded.num_pins, "num_zero_embeddings": embedded.num_zero}


def _embedded(work: StageWork, between: Path) -> EmbeddingFacts:
    job = InferenceJob(
        model=work.inputs["train"],
        visual=work.inputs["featurize_visual"],
        text=work.inputs["featurize_text"],
        spectral=work.inputs["featurize_saves"],
        graph=work.inputs["connect"],
        walk=work.inputs["walk"],
        scratch=between,
        embeddings=work.out / "embeddings.npy",
    )
    cluster_settings = work.settings.cluster
    with (
        exchange_through(cluster_settings.store, work.home / "leases") as exchange,
        connected(cluster_settings, work.tell) as cluster,
    ):
        num_parts = _PARTS_PER_THREAD * cluster.num_threads
        return embed_by_parts(job, exchange, cluster.run, num_parts=num_parts)

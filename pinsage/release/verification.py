"""The check of a release before anything of it is opened: every byte, and every figure that must agree with another."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.errors import ArtifactDamagedError
from pinsage.index.header import HEADER, INDEX, IndexHeader
from pinsage.release.contents import EMBEDDINGS, FILES, PINS, POPULARITY, digest_of_ids
from pinsage.store import manifest as manifests
from pinsage.store.arrays import open_array
from pinsage.store.machine import is_machine_fault
from pinsage.store.manifest import Fact, Manifest

FACTS = {
    "model_version": int, "pins": int, "dim": int, "stored_dim": int, "metric": str, "search": str, "search_k": int,
    "model_key": str, "index_key": str, "pin_ids_sha256": str,
}  # fmt: skip


def verify_manifest(folder: Path, version: str, names: Collection[str] = FILES) -> Manifest:
    """The manifest of the release in a folder, after the files called `names`, all by default, were checked against it.

    Raises:
        ArtifactDamagedError: a file is missing or is not what was published, or two that must agree do not.
    """
    try:
        manifest = _read(folder, version)
        chosen = replace(manifest, files=[entry for entry in manifest.files if entry.path in names])
        manifests.verify(folder, chosen)
        _check_agreement(folder, manifest)
    except ArtifactDamagedError as error:
        fact = str(error).partition(". Delete")[0]  # of an artifact, which a run makes again
        raise ArtifactDamagedError(
            f"{fact}. The release {version} is damaged: go back with `pinsage release rollback`, and delete it."
        ) from None
    return manifest


def _read(folder: Path, version: str) -> Manifest:
    manifest = Manifest.read(folder)
    text = (folder / manifests.NAME).read_text(encoding="utf-8")
    # Whatever reads the same but was written otherwise is not what was published.
    if manifest.to_json() != text:
        raise ArtifactDamagedError(f"{folder / manifests.NAME} is not as it was written")
    if manifest.key != version:
        raise ArtifactDamagedError(f"{folder / manifests.NAME} is the manifest of {manifest.key}")
    if missing := FILES - {entry.path for entry in manifest.files}:
        raise ArtifactDamagedError(f"{folder / manifests.NAME} does not list {min(missing)}")
    for name, kind in FACTS.items():
        if not isinstance(manifest.facts.get(name), kind):
            raise ArtifactDamagedError(f"{folder / manifests.NAME} has no fact '{name}'")
    return manifest


def _check_agreement(folder: Path, manifest: Manifest) -> None:
    """Check counts, dimension, metric, model and ids, of which each is written down in two places."""
    facts, header = manifest.facts, IndexHeader.read(folder / HEADER)
    num_pins, dim = int(facts["pins"] or 0), int(facts["dim"] or 0)
    sums = {entry.path: entry.sha256 for entry in manifest.files}
    _check(folder / HEADER, "sha256", header.sha256, sums[INDEX])
    _check(folder / HEADER, "pins", header.num_pins, num_pins)
    _check(folder / HEADER, "dimension", header.dim, dim)
    _check(folder / HEADER, "item size", header.stored_dim, facts["stored_dim"])
    _check(folder / HEADER, "metric", header.metric, facts["metric"])
    _check(folder / HEADER, "model", header.model_key, facts["model_key"])
    open_array(folder / EMBEDDINGS, np.float32, (num_pins, dim))
    open_array(folder / POPULARITY, np.float32, (num_pins,))
    pin_ids = read_pins(folder)["pin_id"]
    _check(folder / PINS, "pins", len(pin_ids), num_pins)
    _check(folder / PINS, "digest of the pin_ids", digest_of_ids(pin_ids), facts["pin_ids_sha256"])


def read_pins(folder: Path) -> pa.Table:
    """The table of pins of a release: `pin_id`, `title`.

    Raises:
        ArtifactDamagedError: it cannot be read.
    """
    try:
        with pq.ParquetFile(folder / PINS, page_checksum_verification=True) as parquet:
            return parquet.read(["pin_id", "title"])
    except (OSError, ValueError, KeyError) as error:
        if is_machine_fault(error):
            raise
        raise ArtifactDamagedError(f"{folder / PINS} cannot be read ({error})") from None


def _check(path: Path, quantity: str, found: Fact, expected: Fact) -> None:
    if found != expected:
        raise ArtifactDamagedError(f"{path} has {quantity} {found} where the manifest says {expected}")

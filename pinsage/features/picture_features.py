"""The picture features of all pins: read, look up or encode, write.

Letters: P pins, D dimension of the encoder.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError
from pinsage.features.vector_cache import VectorCache
from pinsage.features.visual import Encoded, Encoder, encode_pictures
from pinsage.settings.schema import VisualSettings
from pinsage.store.arrays import create_array, save_array
from pinsage.store.manifest import Facts

log = logging.getLogger(__name__)
_LOG_EVERY_S = 10.0
Batch = tuple[NDArray[np.int32], list[bytes]]


@dataclass
class _Tally:
    """The counts of encoded, cached and unreadable pictures so far."""

    num_encoded: int = 0
    num_cached: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)  # pin, reason
    started_s: float = field(default_factory=time.monotonic)
    logged_s: float = field(default_factory=time.monotonic)

    @property
    def num_seen(self) -> int:
        return self.num_encoded + self.num_cached + len(self.faults)

    def log_progress(self) -> None:
        now = time.monotonic()
        if now - self.logged_s > _LOG_EVERY_S:
            self.logged_s = now
            log.info("pictures: %d so far, %.0f per second", self.num_seen, self.num_seen / (now - self.started_s))


def write_picture_features(
    catalog: Catalog, encoder: Encoder, settings: VisualSettings, *, cache: VectorCache, folder: Path
) -> Facts:
    """Put `visual.npy`, `has_picture.npy` and `quarantine.parquet` into `folder`; return what is worth knowing.

    Pictures that `cache` knows are not decoded; those that it does not know are added to it.

    Raises:
        DatasetError: there are pictures and not one of them is readable.
    """
    shape = (catalog.num_pins, encoder.dim)
    visual = create_array(folder / "visual.npy", np.float32, shape)
    has_picture, tally = np.zeros(catalog.num_pins, dtype=np.bool_), _Tally()
    for pins, pictures in _batches(catalog, settings.batch_size):
        result = _vectors(pictures, encoder, settings, cache=cache, tally=tally)
        visual[pins] = result.vectors
        has_picture[pins] = [not fault for fault in result.faults]
        tally.faults += [(int(pin), fault) for pin, fault in zip(pins, result.faults, strict=True) if fault]
        tally.log_progress()
    cache.flush()
    save_array(folder / "has_picture.npy", has_picture)
    _write_quarantine(catalog, tally, folder / "quarantine.parquet")
    return _facts(has_picture, tally, cache, dim=encoder.dim)


def _batches(catalog: Catalog, size: int) -> Iterator[Batch]:
    for pins, pictures in catalog.pictures():
        for first in range(0, len(pins), size):
            yield pins[first : first + size], pictures[first : first + size]


def _vectors(
    pictures: list[bytes], encoder: Encoder, settings: VisualSettings, *, cache: VectorCache, tally: _Tally
) -> Encoded:
    """The vectors of one batch, from the cache where it has them."""
    found, vectors = cache.find(pictures)
    new = np.flatnonzero(~found)
    fresh = encode_pictures([pictures[row] for row in new], encoder, max_megapixels=settings.max_megapixels)
    vectors[new] = fresh.vectors
    readable = [row for row, fault in enumerate(fresh.faults) if not fault]
    cache.add([pictures[new[row]] for row in readable], fresh.vectors[readable])
    faults = [""] * len(pictures)
    for row, fault in zip(new, fresh.faults, strict=True):
        faults[row] = fault
    tally.num_cached += int(found.sum())
    tally.num_encoded += len(readable)
    return Encoded(vectors, faults)


def _write_quarantine(catalog: Catalog, tally: _Tally, path: Path) -> None:
    table = pa.table(
        {
            "pin_id": pa.array([catalog.pin_ids.pin_id(pin) for pin, _ in tally.faults], pa.string()),
            "reason": pa.array([reason for _, reason in tally.faults], pa.string()),
        }
    )
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _facts(has_picture: NDArray[np.bool_], tally: _Tally, cache: VectorCache, *, dim: int) -> Facts:
    if tally.faults:
        log.warning("%d of %d pictures are unreadable: see quarantine.parquet", len(tally.faults), tally.num_seen)
    if tally.faults and not has_picture.any():
        raise DatasetError(
            f"None of {tally.num_seen} pictures is readable (the first: {tally.faults[0][1]}). Export the pictures as "
            "JPEG, PNG, WebP or GIF files, or leave them out."
        )
    seconds = time.monotonic() - tally.started_s
    facts: Facts = {
        "pins_with_picture": int(has_picture.sum()),
        "pins_without_picture": int((~has_picture).sum()),
        "unreadable_pictures": len(tally.faults),
        "encoded_pictures": tally.num_encoded,
        "cached_pictures": tally.num_cached,
        "damaged_cache_files": cache.damaged_files,
        "pictures_per_s": round(tally.num_seen / seconds, 1) if seconds else 0.0,
        "dim": dim,
    }
    log.info("picture features: %s", ", ".join(f"{name} {value}" for name, value in facts.items()))
    return facts

"""Picture vectors by what the picture's bytes are, so that tomorrow's run encodes only the new pictures.

One folder per encoder; in it, files that are never changed after they appear and are named by their own SHA-256. A file
that does not match its name is not read.
"""

import hashlib
import logging
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinsage.store.atomic import replace_file
from pinsage.store.manifest import file_sha256

log = logging.getLogger(__name__)
FLUSH_BYTES = 64 * 2**20
_NAME = re.compile(r"[0-9a-f]{64}\.npy")


class VectorCache:
    """The vectors of one encoder. `damaged_files` counts the files that were found but could not be trusted."""

    def __init__(self, folder: Path, *, dim: int) -> None:
        """Open (or begin) the cache in `folder`; `dim` is the encoder's. Every file is read once to verify it."""
        self.folder = folder
        self.damaged_files = 0
        # numpy compares fixed-size strings as if padded with zero bytes, so a digest that ends in one is safe.
        self._record = np.dtype([("digest", "S32"), ("vector", "<f4", (dim,))])
        self._pending: list[NDArray[np.void]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._files = self._verify_files()
        digests = [records["digest"] for records in self._files]
        self._places = np.cumsum([0, *map(len, digests)])
        all_digests = np.concatenate([np.zeros(0, dtype="S32"), *digests])
        self._order = np.argsort(all_digests, kind="stable")
        self._digests = all_digests[self._order]

    def __len__(self) -> int:
        return len(self._digests)

    def find(self, pictures: list[bytes]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The vectors of those pictures that an earlier run encoded.

        Returns:
            found: bool [n].
            vectors: float32 [n, D]; rows of pictures that were not found are zero.
        """
        wanted = _digests_of(pictures)
        vectors = np.zeros((len(pictures), *self._record["vector"].shape), dtype=np.float32)  # [n, D]
        place = np.searchsorted(self._digests, wanted)  # [n]
        found = np.zeros(len(pictures), dtype=np.bool_)
        inside = place < len(self._digests)
        found[inside] = self._digests[place[inside]] == wanted[inside]
        for row in np.flatnonzero(found):
            record = self._order[place[row]]
            file = int(np.searchsorted(self._places, record, side="right")) - 1
            vectors[row] = self._files[file]["vector"][record - self._places[file]]
        return found, vectors

    def add(self, pictures: list[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of these pictures for later runs, on disk whenever 64 MB have come together."""
        records = np.zeros(len(pictures), dtype=self._record)
        records["digest"], records["vector"] = _digests_of(pictures), vectors
        self._pending.append(records)
        if sum(records.nbytes for records in self._pending) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Put what was added and is not yet on disk into one new file, by one rename."""
        records = np.concatenate([np.zeros(0, dtype=self._record), *self._pending])
        _, first = np.unique(records["digest"], return_index=True)
        self._pending = []
        if len(first) == 0:
            return
        file = BytesIO()
        np.save(file, records[first])
        content = file.getbuffer()
        replace_file(self.folder / f"{hashlib.sha256(content).hexdigest()}.npy", content)

    def _verify_files(self) -> list[NDArray[Any]]:
        files = []
        for path in sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)):
            if file_sha256(path) == path.stem:
                records: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
                if records.dtype == self._record:
                    files.append(records)
                    continue
            self.damaged_files += 1
            log.warning("%s does not hold what its name says; its pictures are encoded anew. Delete it.", path)
        return files


def _digests_of(pictures: list[bytes]) -> NDArray[np.bytes_]:
    return np.array([hashlib.sha256(picture).digest() for picture in pictures], dtype="S32")

"""The index of a published folder: an Annoy file, verified before it is mapped.

A damaged Annoy file gives wrong answers or kills the process, so nothing is mapped that does not agree with the header
beside it.

Letters: P pins, d embedding size, k pins asked for.
"""

from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from pinsage.index.build import IndexPlan, write_index
from pinsage.index.header import HEADER, INDEX, METRIC, IndexHeader, damage_error
from pinsage.index.query import Neighbors, check_pin, unit_query
from pinsage.store.manifest import file_sha256


class PinIndex:
    """An index of P embeddings in a folder, mapped read-only; item i is pin i."""

    def __init__(self, annoy: AnnoyIndex, header: IndexHeader) -> None:
        self._annoy = annoy
        self.header = header

    @classmethod
    def build(
        cls,
        embeddings: NDArray[np.float32],
        popularity: NDArray[np.float32],
        folder: Path,
        plan: IndexPlan,
        *,
        model_key: str = "",
    ) -> "PinIndex":
        """The index that `write_index` writes to `folder`, opened."""
        write_index(embeddings, popularity, folder, plan, model_key=model_key)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "PinIndex":
        """The index in `folder`, after size, checksum and dimension agreed with its header.

        Raises:
            ArtifactDamagedError: a file is missing or is not what was written.
        """
        header, path = IndexHeader.read(folder / HEADER), folder / INDEX
        size = path.stat().st_size if path.is_file() else None
        if size != header.size_bytes:
            raise damage_error(path, f"has {size or 0} bytes instead of {header.size_bytes}")
        if header.metric != METRIC:
            raise damage_error(path, f"was built for the metric '{header.metric}' instead of '{METRIC}'")
        if (found := file_sha256(path)) != header.sha256:
            raise damage_error(path, f"has sha256 {found[:12]}… instead of {header.sha256[:12]}…")
        annoy = AnnoyIndex(header.stored_dim, METRIC)
        annoy.load(str(path))
        if annoy.get_n_items() != header.num_pins:
            raise damage_error(path, f"holds {annoy.get_n_items()} pins instead of {header.num_pins}")
        return cls(annoy, header)

    @property
    def num_pins(self) -> int:
        """P, pins in the index."""
        return self.header.num_pins

    @property
    def dim(self) -> int:
        """d, size of an embedding."""
        return self.header.dim

    def related(self, pin: int, k: int, *, search_k: int | None = None) -> Neighbors:
        """The pins that score highest for `pin`, the best first, without `pin` itself.

        Args:
            pin: row number of the query.
            k: pins asked for; fewer come back where the catalog is smaller.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] scores: cosine + popularity.

        Raises:
            UnknownPinError: the index has no such pin.
        """
        check_pin(pin, self.num_pins)
        k = max(0, min(k, self.num_pins))
        effort = max(search_k or self.header.search_k, k + 1)
        # One more than asked for: the pin itself comes back too, though not always first, and not at all when more
        # than k pins share its embedding or are popular enough.
        embedding = self._annoy.get_item_vector(pin)[: self.dim]
        others, scores = self._search(embedding, k + 1, effort)
        keep = others != pin
        return others[keep][:k], scores[keep][:k]

    def related_to_vector(self, vector: NDArray[np.float32], k: int, *, search_k: int | None = None) -> Neighbors:
        """The pins that score highest for an embedding from outside, the best first.

        Args:
            vector: float32 [d], not zero; its length does not matter.
            k: pins asked for.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] scores: cosine + popularity.

        Raises:
            InputError: the vector has another size, is zero or holds NaN.
        """
        unit = unit_query(vector, self.dim).tolist()
        k = max(0, min(k, self.num_pins))
        return self._search(unit, k, max(search_k or self.header.search_k, k))

    def _search(self, embedding: list[float], k: int, effort: int) -> Neighbors:
        """The `k` pins that score highest for an embedding of unit length."""
        query = [*embedding, 1.0, 0.0] if self.header.has_popularity else embedding
        pins, distances = self._annoy.get_nns_by_vector(query, k, effort, include_distances=True)
        cosines = 1 - np.square(np.array(distances)) / 2  # Annoy's angular distance is √(2 − 2·cosine)
        return np.array(pins, np.int32), (cosines * self.header.longest_product).astype(np.float32)

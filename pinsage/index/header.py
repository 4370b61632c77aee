"""The header of an index file: an Annoy file has no checksum of its own, so this says what it must be."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from pinsage.errors import ArtifactDamagedError
from pinsage.store.machine import is_machine_fault
from pinsage.store.sealed import seal, unseal

INDEX, HEADER = "index.ann", "index.json"
METRIC: Final = "angular"  # of items of one length the order of their products with a query


@dataclass(frozen=True)
class IndexHeader:
    """The header of an index file: its shape, search settings, source embeddings, and checksum.

    Attributes:
        dim: d, size of an embedding.
        stored_dim: size of an item: d, or d + 2 where popularity is part of the score.
        max_popularity: p_max; 0 where the cosine is the score.
    """

    dim: int
    stored_dim: int
    max_popularity: float
    metric: str
    num_trees: int
    search_k: int
    num_pins: int
    model_key: str
    size_bytes: int
    sha256: str

    def write(self, path: Path) -> None:
        """Write the header as JSON with a checksum of its own."""
        path.write_text(json.dumps(seal(asdict(self)), indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "IndexHeader":
        """The header that `write` wrote.

        Raises:
            ArtifactDamagedError: it is missing, is no header, or a value was changed.
        """
        try:
            return cls(**unseal(json.loads(path.read_bytes()), {each.name for each in fields(cls)}))
        except (OSError, ValueError) as error:
            if is_machine_fault(error):
                raise
            raise damage_error(path, f"cannot be read ({error})") from None

    @property
    def has_popularity(self) -> bool:
        """True if popularity is part of the score."""
        return self.max_popularity > 0

    @property
    def longest_product(self) -> float:
        """The length of an item times that of a query: a score is so many times the cosine between them."""
        return math.sqrt(2 * (1 + self.max_popularity**2)) if self.has_popularity else 1.0


def damage_error(path: Path, fact: str) -> ArtifactDamagedError:
    """The error of an index file that is not what was written."""
    return ArtifactDamagedError(f"{path} {fact}. Delete {path.parent}; the next run makes it again.")

"""The profile of a run: what a later run is compared with, small enough to outlive the artifacts that it describes.

| file | |
|---|---|
| `profile.json` | counts, shares and histograms |
| `words.parquet` | `word`, `count`: the vocabulary |
| `looks.npy` | float32 [C, Dv]: centers of the cells of the pictures' vectors |

C cells, Dv columns of the visual features.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.refusals import DECODING, refusals
from pinsage.drift.cells import count_cells, fit_centers
from pinsage.drift.psi import degree_histogram
from pinsage.errors import ArtifactDamagedError
from pinsage.graph.csr import BipartiteGraph
from pinsage.store.arrays import open_array, save_array
from pinsage.store.manifest import Manifest
from pinsage.store.parquet_files import write_parquet

READS = ("ingest", "connect", "featurize_text", "featurize_visual")
COUNTS, COVERAGE = ("pins", "boards", "saves"), ("pictures", "words")


@dataclass(frozen=True)
class Profile:
    """The profile of a run.

    Attributes:
        as_of: the instant up to which the data were read; empty where they have no times.
        counts: pins, boards and saves of the catalog.
        coverage: the shares of pins with a readable picture and with known words.
        quarantine: by `table/reason`, the share of the table's rows that were refused for it.
        degrees: the histogram of `degree_histogram` over the training saves.
        look_counts: pins in each cell of `looks`.
        looks: float32 [C, Dv].
        words: `word`, `count`.
    """

    as_of: str
    counts: Mapping[str, int]
    coverage: Mapping[str, float]
    quarantine: Mapping[str, float]
    degrees: list[int]
    look_counts: list[int]
    looks: NDArray[np.float32]
    words: pa.Table

    def write(self, folder: Path) -> None:
        """Write the profile's files into a folder."""
        body = asdict(self, dict_factory=lambda items: {k: v for k, v in items if k not in ("looks", "words")})
        (folder / "profile.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        save_array(folder / "looks.npy", self.looks)
        write_parquet(folder / "words.parquet", self.words)

    @classmethod
    def read(cls, folder: Path) -> "Profile":
        """The profile in a folder.

        Raises:
            ArtifactDamagedError: a file is missing or holds something else.
        """
        try:
            body = json.loads((folder / "profile.json").read_text(encoding="utf-8"))
            return cls(**body, looks=_open_looks(folder), words=pq.read_table(folder / "words.parquet"))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactDamagedError(
                f"{folder} holds no profile of a run ({error}). Delete it; the next run goes on without it."
            ) from None


def profile(inputs: Mapping[str, Path]) -> Profile:
    """The profile of a run.

    Args:
        inputs: the folders of the artifacts in READS.
    """
    visual, pictured = pictures(inputs["featurize_visual"])
    has_text = open_array(inputs["featurize_text"] / "has_text.npy", np.bool_, (None,))
    facts, looks = Manifest.read(inputs["ingest"]).facts, fit_centers(visual, pictured)
    num_pins = len(has_text)
    return Profile(
        as_of=str(facts.get("as_of") or ""),
        counts={name: int(facts.get(name) or 0) for name in COUNTS},
        coverage={"pictures": len(pictured) / max(num_pins, 1), "words": int(has_text.sum()) / max(num_pins, 1)},
        quarantine=_quarantine(inputs),
        degrees=degree_histogram(BipartiteGraph.open(inputs["connect"]).pin_degrees),
        look_counts=count_cells(visual, pictured, looks) if len(looks) else [],
        looks=looks,
        words=pq.read_table(inputs["featurize_text"] / "vocabulary.parquet", columns=["word", "count"]),
    )


def pictures(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The visual features, float32 [P, Dv], and the pins that have a picture, int64 [n], of featurize_visual."""
    has_picture = open_array(folder / "has_picture.npy", np.bool_, (None,))
    return open_array(folder / "visual.npy", np.float32, (len(has_picture), None)), np.flatnonzero(has_picture)


def _quarantine(inputs: Mapping[str, Path]) -> dict[str, float]:
    facts = Manifest.read(inputs["ingest"]).facts
    refused = refusals(inputs["ingest"], inputs["featurize_visual"])
    rows_in = {each.table: int(facts.get(f"{each.table}_in") or 0) for each in refused}
    rows_in[DECODING] = int(facts.get("pictures") or 0)
    return {f"{each.table}/{each.reason}": each.count / max(rows_in[each.table], each.count) for each in refused}


def _open_looks(folder: Path) -> NDArray[np.float32]:
    return np.array(open_array(folder / "looks.npy", np.float32, (None, None)))

"""Small releases for tests: artifacts of a few pins with a seed of their own, and a store to release them in."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from new_pin_world import write_network, write_words

from pinsage.index.build import IndexPlan, write_index
from pinsage.release.contents import ModelVersion, ReleaseParts
from pinsage.release.releases import Releases
from pinsage.settings.loading import load_settings
from pinsage.store.artifact import FolderArtifacts
from pinsage.store.deployment import Store
from pinsage.store.manifest import Manifest

NUM_PINS, DIM = 60, 8
GATE = {"model_version": 1, "is_champion": True, "reason": "First version: there was no champion."}


class ReleaseWorld:
    """A store, and artifacts to release in it."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        """Artifacts lie below `folder`, releases too unless there is another store for them."""
        self.artifacts = FolderArtifacts(folder / "made")
        self.store = store or Store(folder, str(folder))
        self.releases = Releases(self.store)

    def parts(self, number: int, *, num_pins: int = NUM_PINS, dim: int = DIM, strength: float = 0.1) -> ReleaseParts:
        """The parts of model version `number`, whose embeddings have it as their seed."""
        embeddings, popularity = vectors(number, num_pins, dim, strength)
        writers = {
            "ingest": lambda folder: write_catalog(folder, num_pins),
            "featurize_text": write_words,
            "train": lambda folder: write_network(folder, dim),
            "embed": lambda folder: write_vectors(folder, embeddings, popularity),
            "index": lambda folder: write_index(
                embeddings, popularity, folder, IndexPlan(5, 1000), model_key=key("train", number)
            ),
            "evaluate": lambda folder: write_metrics(folder, 0.1 * number),
        }
        inputs = {stage: self._publish(stage, number, write) for stage, write in writers.items()}
        model = ModelVersion("pinsage-test-0000", number)
        return ReleaseParts(inputs, model, {**GATE, "model_version": number}, load_settings(), f"run-{number}")

    def release(self, number: int, **shape) -> str:
        """The version of a release of model version `number`, which serves now."""
        version = self.releases.publish(self.parts(number, **shape), "test")
        assert self.releases.point(version)
        return version

    def _publish(self, stage: str, number: int, write) -> Path:
        with self.artifacts.publish(Manifest(stage, key(stage, number), 1, {}, {}, {}, "test")) as draft:
            write(draft.folder)
        return self.artifacts.folder(stage, key(stage, number))


def vectors(number: int, num_pins: int = NUM_PINS, dim: int = DIM, strength: float = 0.1) -> tuple:
    """The embeddings, float32 [P, d], and the popularity, float32 [P], of a model version."""
    rng = np.random.default_rng(number)
    directions = rng.normal(size=(num_pins, dim)).astype(np.float32)
    popularity = (strength * rng.random(num_pins)).astype(np.float32)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True), popularity


def key(stage: str, number: int) -> str:
    """A key as long as a real one."""
    return f"{number:08x}{len(stage):012x}"


def write_catalog(folder: Path, num_pins: int) -> None:
    """Pin i is `pin-0000i`; board b has the pins that b divides."""
    ids = [f"pin-{pin:05d}" for pin in range(num_pins)]
    pins = {"pin_id": ids, "title": [f"Title {pin}" for pin in range(num_pins)], "annotations": [["x"]] * num_pins}
    saves = np.array([(board, pin) for board in range(5) for pin in range(0, num_pins, board + 7)], np.int32)
    tables = {
        "pins": pa.table(pins),
        "boards": pa.table({"board_id": [f"board-{board}" for board in range(5)]}),
        "saves": pa.table({"board": saves[:, 0], "pin": saves[:, 1]}),
        "pictures": pa.table({"pin": pa.array([], pa.int32())}),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")


def write_vectors(folder: Path, embeddings: np.ndarray, popularity: np.ndarray) -> None:
    """What the stage embed publishes."""
    np.save(folder / "embeddings.npy", embeddings)
    np.save(folder / "popularity.npy", popularity)


def write_metrics(folder: Path, hit_rate: float) -> None:
    """One figure on test."""
    row = {"method": "pinsage", "split": "test", "view": "all", "metric": "hit_rate@10", "value": hit_rate}
    pq.write_table(pa.Table.from_pylist([row]), folder / "metrics.parquet")

"""One small file of every kind that the system writes and reads again, and a reader of each that tells its content."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import torch
from new_pin_world import write_network, write_words
from release_world import DIM, NUM_PINS, ReleaseWorld

from pinsage.features.vector_cache import VectorCache
from pinsage.index.pin_index import PinIndex
from pinsage.ingest.source.digests import FileDigests
from pinsage.ingest.source.table import SourceFile
from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import DECISIONS, Decision, Decisions
from pinsage.release.release import Release
from pinsage.release.verification import verify_manifest
from pinsage.serving.served_model import ModelParts, RelatedPins, save_model
from pinsage.settings.loading import load_settings
from pinsage.store.manifest import file_sha256
from pinsage.store.run import StageResult
from pinsage.training.checkpoint import Checkpoints
from pinsage.training.state import CurvePoint, TrainingState

LONG_AGO = 1_600_000_000_000_000_000


@dataclass(frozen=True)
class Kept:
    """Files of one kind and their reader, which gives the same answer as long as no bit of them has changed."""

    files: list[Path]
    answer: Callable[[], Any]


def kept_files(folder: Path) -> dict[str, Kept]:
    """Write files of every kind below a folder."""
    world = ReleaseWorld(folder)
    version = world.release(1)
    world.release(2)
    made, release = folder / "made", world.releases.folder(version)
    artifacts = sorted(path.parent for path in made.glob("*/*/manifest.json"))
    read = partial(_read_artifacts, world, artifacts)
    index = next(path for path in artifacts if path.parent.name == "index")
    return {
        "files of artifacts": Kept([path for path in _files(made) if path.name != "manifest.json"], read),
        "manifests of artifacts": Kept(sorted(made.glob("*/*/manifest.json")), read),
        "the index and its header": Kept([index / "index.ann", index / "index.json"], lambda: _ask(index)),
        "files of a release": Kept(_files(release), lambda: _read_release(release, version)),
        "CURRENT": Kept([folder / "releases" / "CURRENT"], world.releases.current),
        "records of runs": _runs(world),
        "decisions": _decisions(folder, world),
        "checkpoints": _checkpoints(folder / "checkpoints"),
        "vectors of pictures": _vectors(folder / "vectors"),
        "digests of the data set's files": _digests(folder / "digests"),
        "the served model": _served_model(folder / "served", index),
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def _contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_sha256(path) for path in _files(folder) if path.name != "manifest.json"}


def _read_artifacts(world: ReleaseWorld, artifacts: list[Path]) -> Any:
    opened = [world.artifacts.open(folder.parent.name, folder.name) for folder in artifacts]
    return [(artifact.manifest, _contents(artifact.folder)) for artifact in opened]


def _ask(folder: Path) -> list[Any]:
    pins, scores = PinIndex.open(folder).related(3, 5)
    return [pins.tolist(), scores.tolist()]


def _read_release(folder: Path, version: str) -> Any:
    manifest = verify_manifest(folder, version)
    return manifest, _contents(folder), asdict(Release.open(folder, version).related("pin-00003", 5))


def _runs(world: ReleaseWorld) -> Kept:
    for run_id in ("r1", "r2"):
        run = world.store.runs.open_or_start(run_id, load_settings(), {"triggered_by": "a test"})
        for stage in ("ingest", "walk"):
            run.record(
                StageResult(stage, "0123456789", 1.5, False, {"pins": 3, "loss": 1e-05, "name": "Zoë", "no": None})
            )

    def answer() -> Any:
        runs, unreadable = world.store.runs.all()
        for error in unreadable.values():
            raise error
        return [(run.run_id, run.settings, run.origin, run.started_at, run.results()) for run in runs]

    return Kept(_files(Path(world.store.place) / "runs"), answer)


def _decisions(folder: Path, world: ReleaseWorld) -> Kept:
    table, model = Decisions(world.store.bucket(DECISIONS)), "pinsage-a-0000"
    for number in (1, 2):
        checks = (Check("c", True, "Fine."),)
        decision = Decision("promoted", model, number, number - 1, "Bétter.", "r1", checks)
        table.record(decision, table.history(model))
    return Kept(_files(folder / DECISIONS), lambda: [asdict(each) for each in table.history(model)])


def _checkpoints(folder: Path) -> Kept:
    """Two of one training; where the newer is damaged, the older one is as good."""
    state, sound = _state(), []
    for step in (7, 14):
        state.step, state.best_hit_rate = step, step / 100
        state.curve.append(CurvePoint(step, 0.5, 0.1, 3))
        state.network(torch.ones(3)).sum().backward()
        state.optimizer.step()
        Checkpoints(folder, {"seed": 1}).save(state)
        sound.append(_told(state))

    def answer() -> Any:
        found = _state()
        Checkpoints(folder, {"seed": 1}).restore(found)
        return _told(found) in sound

    return Kept(_files(folder), answer)


def _state() -> TrainingState:
    network = torch.nn.Linear(3, 2)
    return TrainingState(network, torch.optim.AdamW(network.parameters()))


def _told(state: TrainingState) -> Any:
    weights = [tensor.detach().numpy().tobytes() for tensor in state.network.state_dict().values()]
    moments = [(name, each[name].numpy().tobytes()) for each in state.optimizer.state.values() for name in sorted(each)]
    return state.step, state.best_hit_rate, list(state.curve), weights, moments


def _vectors(folder: Path) -> Kept:
    """A picture is known with its own vector, or unknown."""
    pictures = [f"picture {number}".encode() for number in range(20)]
    vectors = np.arange(40, dtype=np.float32).reshape(20, 2)
    cache = VectorCache(folder, dim=2)
    cache.add(pictures, vectors)
    cache.flush()

    def answer() -> Any:
        is_found, found = VectorCache(folder, dim=2).find(pictures)
        return bool((found[is_found] == vectors[is_found]).all())

    return Kept(_files(folder), answer)


def _digests(folder: Path) -> Kept:
    """A file whose digest is not remembered is read again."""
    folder.mkdir()
    files = []
    for name in ("pins", "saves"):
        (folder / name).write_bytes(name.encode())
        files.append(SourceFile(name, str(folder / name), len(name), LONG_AGO, pafs.LocalFileSystem()))
    known = FileDigests(folder / "known.json")
    truth = [known.sha256(file) for file in files]
    known.remember()
    assert truth == [hashlib.sha256(file.name.encode()).hexdigest() for file in files]
    return Kept([folder / "known.json"], lambda: [FileDigests(folder / "known.json").sha256(file) for file in files])


def _served_model(folder: Path, index: Path) -> Kept:
    """The files that an MLflow model answers from, for a known pin and a new one."""
    for name in ("network", "words"):
        (folder / name).mkdir(parents=True)
    write_network(folder / "network", DIM)
    write_words(folder / "words")
    pin_ids = [f"pin-{number:05d}" for number in range(NUM_PINS)]
    folders = {"index": index, "network": folder / "network", "words": folder / "words"}
    save_model(
        folder / "saved", ModelParts(**folders, settings=load_settings(), version="a", pin_ids=pin_ids, titles=pin_ids)
    )
    saved = folder / "saved" / "artifacts"
    places = {"index": saved / index.name, "new_pins": saved / "new_pins", "pins": saved / "pins.parquet"}
    context = SimpleNamespace(artifacts={name: str(place) for name, place in places.items()})

    def answer() -> Any:
        model = RelatedPins()
        model.load_context(context)
        answers = model.predict(
            context, pd.DataFrame([{"pin_id": pin_ids[0]}, {"title": "sea", "annotations": ["tree"]}])
        )
        return model.pin_ids.array.to_pylist(), model.titles.to_pylist(), answers

    names = ("index.ann", "index.json", "pins.parquet")
    return Kept([path for path in _files(saved) if path.name in names or path.parent.name == "new_pins"], answer)

"""The things that are published, for trials: how a process publishes one, and how another one reads it.

Each comes in generations, 1, 2, ...; the one before is there when the next is published. `read` says whether a
generation is there yet, and raises where it finds a part of one.
"""

import json
from pathlib import Path

import torch
from release_world import ReleaseWorld

from pinsage.promotion.decisions import DECISIONS, Decision, Decisions
from pinsage.release.releases import Releases
from pinsage.settings.loading import load_settings
from pinsage.store import mirror
from pinsage.store.deployment import CHECKPOINTS, Store, open_store
from pinsage.store.drafts import STAGING
from pinsage.store.manifest import Manifest
from pinsage.store.remote import RemoteBucket
from pinsage.store.run import StageResult
from pinsage.training.checkpoint import CHECKPOINT_FILES, Checkpoints
from pinsage.training.state import CurvePoint, TrainingState

STAGE, MODEL, RUN = "walk", "pinsage-a-0000", {"triggered_by": "a test"}
PER_MODEL = 5  # decisions: a history is read file by file


class Artifact:
    """An artifact with two files, one of them in a folder; `words` are what an attempt writes."""

    def __init__(self, home: Path) -> None:
        self.store = open_store(home)

    def prepare(self) -> None:
        """Nothing is needed."""

    def publish(self, number: int, words: str = "") -> None:
        """Publish it unless it is there, as a stage does."""
        with self.store.artifacts.publish(Manifest(STAGE, f"k{number}", 1, {}, {}, {}, "0")) as draft:
            (draft.folder / "part").mkdir()
            (draft.folder / "part" / "a.txt").write_text(f"{number} {words}" * 3000)
            (draft.folder / "b.txt").write_text("beside it")
            draft.facts["number"] = number

    def read(self, number: int) -> str:
        """Its bytes, after all were verified; empty if it is not there."""
        if not self.store.artifacts.has(STAGE, f"k{number}"):
            return ""
        found = self.store.artifacts.open(STAGE, f"k{number}")
        files = sorted(path for path in found.folder.rglob("*") if path.is_file())
        assert [path.name for path in files] == ["b.txt", "manifest.json", "a.txt"], files
        assert found.manifest.facts == {"number": number}
        return (found.folder / "part" / "a.txt").read_text() + (found.folder / "b.txt").read_text()

    def left(self, number: int) -> list[str]:
        """Drafts, and files of the store beside those of the artifact."""
        drafts = [str(path) for path in self.store.home.rglob(f"{STAGING}*")]
        names = self.store.bucket("artifacts").names(f"{STAGE}/k{number}")
        return drafts + (names if len(names) != 3 else [])


class RunRecord:
    """A run with the result of a stage."""

    def __init__(self, home: Path) -> None:
        self.store, self.settings = open_store(home), load_settings()

    def prepare(self) -> None:
        """Nothing is needed."""

    def publish(self, number: int, words: str = "") -> None:
        """Begin the run and record a result."""
        run = self.store.runs.open_or_start(f"run-{number}", self.settings, RUN)
        run.record(StageResult("ingest", f"k{number}", 1.0, False, {"number": number}))

    def read(self, number: int) -> str:
        """The result; empty if there is none."""
        if not self.store.runs.has(f"run-{number}"):
            return ""
        run = self.store.runs.open(f"run-{number}")
        assert (run.settings, run.origin) == (self.settings, RUN)
        results = run.results()
        assert all(result.facts == {"number": number} for result in results.values())
        return results["ingest"].key if results else ""

    def left(self, number: int) -> list[str]:
        """Files of the store beside those of the run."""
        names = self.store.bucket("runs").names(f"run-{number}")
        return names if len(names) != 2 else []


class Current:
    """CURRENT, which two releases take turns to be named by. The turns stand in the store, as a champion does."""

    def __init__(self, home: Path) -> None:
        self.store = open_store(home)
        self.releases, self.turns = Releases(self.store), self.store.bucket("turns")

    def prepare(self) -> None:
        """Release twice."""
        world = ReleaseWorld(self.store.home, self.store)
        for number in (1, 2):
            world.release(number)

    def _version(self, number: int) -> str:
        found = {
            self.releases.manifest(version).facts["model_version"]: version for version in self.releases.versions()
        }
        return found[1 + (number + 1) % 2]

    def publish(self, number: int, words: str = "") -> None:
        """Let CURRENT name the release whose turn it is, unless another turn has come, as a stage does."""
        is_wanted = self.releases.unless_moved(lambda: max(map(int, self.turns.names())) == number)
        self.turns.create(str(number), b"")
        self.releases.point(self._version(number), is_wanted)

    def read(self, number: int) -> str:
        """The version that CURRENT names, verified; empty where that is the one before."""
        current = self.releases.current().version
        self.releases.verify(current)
        return current if current == self._version(number) else ""

    def left(self, number: int) -> list[str]:
        """Drafts."""
        return [str(path) for path in self.store.home.rglob(f"{STAGING}*")]


class Decided:
    """A decision on one of many models."""

    def __init__(self, home: Path) -> None:
        self.store = open_store(home)
        self.table = Decisions(self.store.bucket(DECISIONS))

    def prepare(self) -> None:
        """Nothing is needed."""

    def publish(self, number: int, words: str = "") -> None:
        """Record it unless that was done, alone, as a stage does."""
        decision = Decision("promoted", f"{MODEL}-{number // PER_MODEL}", number, None, "Better.", "r1")
        with self.store.one_at_a_time("mlflow"):
            history = self.table.history(decision.model)
            if decision not in history:
                self.table.record(decision, history)

    def read(self, number: int) -> str:
        """The decision; empty if it has not been taken."""
        history = self.table.history(f"{MODEL}-{number // PER_MODEL}")
        versions = [decision.version for decision in history]
        first = number // PER_MODEL * PER_MODEL or 1
        assert versions == list(range(first, first + len(versions))), versions
        return repr(history[number - first]) if number in versions else ""

    def left(self, number: int) -> list[str]:
        """Nothing can be left that is seen."""
        return []


class Checkpoint:
    """A checkpoint of a training, sent to the store too where that is behind a URL."""

    def __init__(self, home: Path) -> None:
        self.store = open_store(home)

    def prepare(self) -> None:
        """Save the one before the first."""
        self.publish(0)

    def publish(self, number: int, words: str = "") -> None:
        """Save it, and send it."""
        folder = self.store.scratch("train", "k")
        bucket = self._bucket()
        known = mirror._bring(folder, bucket) if bucket else set()
        Checkpoints(folder, {"seed": 1}).save(_state(number))
        if bucket:
            mirror._send(folder, bucket, CHECKPOINT_FILES, known)

    def read(self, number: int) -> str:
        """The state, as a host restores it that had nothing of it; empty where that is the one before."""
        folder = self.store.scratch("train", "k")
        if bucket := self._bucket():
            mirror._bring(folder, bucket)
        found = _state(0)
        step = Checkpoints(folder, {"seed": 1}).restore(found)
        assert step >= number + 9, f"step {step} at number {number}"
        assert _told(found) == _told(_state(step - 10))
        return _told(found) if step > number + 9 else ""

    def left(self, number: int) -> list[str]:
        """Files that are no part of the last checkpoints."""
        names = [path.name for path in self.store.scratch("train", "k").iterdir()]
        return [name for name in names if not name.startswith(("step-", "."))]

    def _bucket(self) -> RemoteBucket | None:
        return RemoteBucket(f"{self.store.place}/{CHECKPOINTS}/train/k") if self.store.is_remote else None


THINGS = {
    "artifact": Artifact, "run record": RunRecord, "CURRENT": Current, "decision": Decided, "checkpoint": Checkpoint,
}  # fmt: skip


def _state(number: int) -> TrainingState:
    network = torch.nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(number)
    state = TrainingState(network, torch.optim.AdamW(network.parameters()), step=number + 10)
    state.curve.append(CurvePoint(number, 0.5, 0.1, 3))
    return state


def _told(state: TrainingState) -> str:
    weights = {name: tensor.tolist() for name, tensor in state.network.state_dict().items()}
    return json.dumps([state.step, [repr(point) for point in state.curve], weights])


def open_thing(kind: str, home: Path) -> "Artifact | RunRecord | Current | Decided | Checkpoint":
    """The thing of a kind, as the host with that data folder sees it."""
    return THINGS[kind](home)


def other_host(store: Store, name: str) -> Path:
    """The data folder of a host that has nothing in its caches; the same one where the store is a folder."""
    return store.home.with_name(name) if store.is_remote else store.home

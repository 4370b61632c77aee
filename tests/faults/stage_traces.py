"""All that a run leaves behind, without what may differ from run to run: times, speeds, drawn names."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pinsage.promotion.decisions import DECISIONS, Decisions
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest, verify

# The explorer shows how fast the index answers; a release's page and its manifest say when it was made, its decision
# which MLflow run it came from.
_WITH_TIMES = ("explorer.html", "README.md", "decision.json", "manifest.json")

LITTLE_BYTES = 32_768  # a text on its way to MLflow lies in a temporary file for a moment


@dataclass(frozen=True)
class Traces:
    """The traces of one run in a home.

    Attributes:
        files: of artifacts and releases, which were verified: place and SHA-256.
        records: the key of each stage's artifact.
        current: the numbers of releases that there are, that CURRENT names, and that it named before.
        decisions: kind, version and the champion before.
        mlflow: tag of runs and whether they have FINISHED (a failure that a retry overcame stays until then), number
            and index of versions, names that point at them, states of models.
        points: how often each step of each metric is in MLflow, once the run has ended there.
        doubled: the points that MLflow has twice, at any time.
        leftovers: drafts, scratch folders, unfinished files, and temporary ones beyond MLflow's few KB.
    """

    files: dict[str, str]
    records: dict[str, str]
    current: tuple[int, int, int]
    decisions: list[tuple[str, int, int | None]]
    mlflow: dict[str, list[tuple[object, ...]]]
    points: dict[tuple[str, int], int]
    doubled: list[tuple[str, int]]
    leftovers: list[str]


def traces(home: Path, tmp: Path) -> Traces:
    """The traces below a home, and below the folder of its temporary files."""
    store = open_store(home)
    records = store.runs.open("r1").results() if store.runs.has("r1") else {}
    releases = Releases(store)
    names = releases.versions()
    pointer = releases.current() if (home / "releases" / "CURRENT").exists() else None
    decisions = Decisions(store.bucket(DECISIONS))
    mlflow, points = _mlflow(home / "mlflow" / "mlflow.db")
    return Traces(
        files=_files(home),
        records={stage: result.key for stage, result in records.items()},
        current=(len(names), names.count(pointer.version) if pointer else 0, len(pointer.previous) if pointer else 0),
        decisions=[
            (each.kind, each.version, each.champion)
            for model in decisions.models()
            for each in decisions.history(model)
        ],
        mlflow=mlflow,
        points=dict(points) if "promote" in records else {},
        doubled=[point for point, count in points.items() if count > 1],
        leftovers=leftovers(home, tmp),
    )


def leftovers(home: Path, tmp: Path) -> list[str]:
    """The drafts, scratch folders and files that only an attempt at work has a use for."""
    unfinished = [path for path in home.rglob("*") if _is_unfinished(path.name)]
    temporary = [path for path in tmp.rglob("*") if path.is_file() and path.stat().st_size > LITTLE_BYTES]
    return sorted(str(path) for path in [*unfinished, *home.glob("scratch/*/*"), *temporary])


def _is_unfinished(name: str) -> bool:
    return name.startswith((".staging-", ".removed-", ".digests-")) or name.endswith((".partial", "-journal"))


def _files(home: Path) -> dict[str, str]:
    found = {}
    for folder in [*home.glob("artifacts/*/*"), *home.glob("releases/2*")]:
        if folder.name.startswith("."):
            continue
        manifest = Manifest.read(folder)
        verify(folder, manifest)
        place = manifest.stage if manifest.stage == "releases" else f"{manifest.stage}/{manifest.key}"
        found |= {f"{place}/{each.path}": each.sha256 for each in manifest.files if each.path not in _WITH_TIMES}
    return found


def _mlflow(database: Path) -> tuple[dict[str, list[tuple[object, ...]]], Counter[tuple[str, int]]]:
    """Read from its tables: MLflow's client takes a second for it, and shows nothing that was deleted."""
    if not database.exists():
        return {}, Counter()
    with closing(sqlite3.connect(database)) as tables:
        ask = {
            "runs": "SELECT value, status = 'FINISHED' FROM tags JOIN runs USING (run_uuid)"
            " WHERE key = 'pinsage.run_id'",
            "versions": "SELECT version, value FROM model_version_tags WHERE key = 'pinsage.index_key'",
            "names": "SELECT alias, version FROM registered_model_aliases ORDER BY alias",
            "models": "SELECT status FROM logged_models WHERE lifecycle_stage = 'active'",
        }
        found = {name: tables.execute(query).fetchall() for name, query in ask.items()}
        points = Counter(tables.execute("SELECT key, step FROM metrics").fetchall())
    return found, points

"""Runs: one small record per pipeline run, and per stage the key of its artifact and the facts.

`runs/<run_id>/run.json` holds what was asked for; `runs/<run_id>/<stage>.json` what a stage answered. Every file is
replaced by one rename, and stages of the same run never write the same file.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pinsage.config import flat, validate
from pinsage.errors import ArtifactMissingError, RunRecordError
from pinsage.settings import Settings
from pinsage.store.atomic import replace_file
from pinsage.store.manifest import Facts

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+~-]{0,199}")


@dataclass(frozen=True)
class StageResult:
    """The result of one stage of one run. `reused` says that the artifact was there before."""

    stage: str
    key: str
    seconds: float
    reused: bool
    facts: Facts = field(default_factory=dict)


class Run:
    """One pipeline run in the folder `runs/<run_id>`."""

    def __init__(self, folder: Path, settings: Settings, origin: dict[str, str], started_at: str) -> None:
        self.folder = folder
        self.settings = settings
        self.origin = origin
        self.started_at = started_at

    @property
    def run_id(self) -> str:
        """The id that Airflow or the command line gave the run."""
        return self.folder.name

    def record(self, result: StageResult) -> None:
        """Write down what a stage came to."""
        _replace(self.folder / f"{result.stage}.json", asdict(result))

    def result(self, stage: str) -> StageResult:
        """The result of a stage.

        Raises:
            ArtifactMissingError: the stage has not ended in this run.
        """
        path = self.folder / f"{stage}.json"
        if not path.is_file():
            raise ArtifactMissingError(f"Run {self.run_id} has no result of '{stage}'. Run that stage first.")
        return StageResult(**json.loads(path.read_text(encoding="utf-8")))

    def results(self) -> dict[str, StageResult]:
        """The results of all stages that have ended, by stage name."""
        stages = sorted(path.stem for path in self.folder.glob("*.json") if path.name != "run.json")
        return {stage: self.result(stage) for stage in stages}


class RunStore:
    """The runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open_or_start(self, run_id: str, settings: Settings, origin: dict[str, str] | None = None) -> Run:
        """The run called `run_id`, begun now if it is new.

        Raises:
            RunRecordError: the id is malformed, or the run exists with other settings.
        """
        folder = self._folder(run_id)
        if (folder / "run.json").is_file():
            run = self.open(run_id)
            if run.settings != settings:
                raise RunRecordError(
                    f"Run {run_id} exists with other settings ({_difference(run.settings, settings)}). "
                    "Start a new run instead."
                )
            return run
        folder.mkdir(parents=True, exist_ok=True)
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        body = {"settings": settings.model_dump(mode="json"), "origin": origin or {}, "started_at": started_at}
        _replace(folder / "run.json", body)
        return Run(folder, settings, origin or {}, started_at)

    def open(self, run_id: str) -> Run:
        """The run called `run_id`.

        Raises:
            RunRecordError: there is no such run.
        """
        path = self._folder(run_id) / "run.json"
        if not path.is_file():
            raise RunRecordError(f"There is no run '{run_id}' in {self.root}. `pinsage runs` lists what there is.")
        body = json.loads(path.read_text(encoding="utf-8"))
        return Run(path.parent, validate(body["settings"]), body["origin"], body["started_at"])

    def all(self) -> list[Run]:
        """Every run, the newest first."""
        runs = [self.open(path.parent.name) for path in self.root.glob("*/run.json")]
        return sorted(runs, key=lambda run: run.started_at, reverse=True)

    def _folder(self, run_id: str) -> Path:
        # An id becomes a folder's name: nothing that could lead out of `root` passes.
        if not RUN_ID.fullmatch(run_id):
            raise RunRecordError(f"'{run_id}' is no run id. Use letters, digits and _.:+~- only, 200 at most.")
        return self.root / run_id


def _difference(old: Settings, new: Settings) -> str:
    before, after = flat(old), flat(new)
    changed = [f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
    return ", ".join(changed[:5])


def _replace(path: Path, body: dict[str, Any]) -> None:
    replace_file(path, json.dumps(body, indent=1).encode())

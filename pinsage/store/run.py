"""Runs: one small record per pipeline run, and per stage the key of its artifact and the facts.

`runs/<run_id>/run.json` holds what was asked for; `runs/<run_id>/<stage>.json` what a stage answered. Every file is
whole at every moment, and stages of the same run never write the same file.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from pinsage.config import flat, validate
from pinsage.errors import ArtifactMissingError, RunRecordError
from pinsage.settings import Settings
from pinsage.store.bucket import Bucket
from pinsage.store.manifest import Facts

RUN = "run.json"
MODEL_RUN = "model_run"  # in the origin of a refresh
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
    """One pipeline run, recorded in the folder `run_id` of a bucket."""

    def __init__(
        self, bucket: Bucket, run_id: str, settings: Settings, origin: dict[str, str], started_at: str
    ) -> None:
        self._bucket = bucket
        self.run_id = run_id
        self.settings = settings
        self.origin = origin
        self.started_at = started_at

    @property
    def model_run(self) -> str:
        """The run whose model a refresh uses; empty for a run that trains one."""
        return self.origin.get(MODEL_RUN, "")

    def record(self, result: StageResult) -> None:
        """Write down what a stage came to."""
        self._bucket.replace(f"{self.run_id}/{result.stage}.json", _to_json(asdict(result)))

    def result(self, stage: str) -> StageResult:
        """The result of a stage.

        Raises:
            ArtifactMissingError: the stage has not ended in this run.
        """
        content = self._bucket.read(f"{self.run_id}/{stage}.json")
        if content is None:
            raise ArtifactMissingError(f"Run {self.run_id} has no result of '{stage}'. Run that stage first.")
        return StageResult(**json.loads(content))

    def results(self) -> dict[str, StageResult]:
        """The results of all stages that have ended, by stage name."""
        files = [PurePosixPath(name) for name in self._bucket.names(self.run_id)]
        return {file.stem: self.result(file.stem) for file in files if file.suffix == ".json" and file.name != RUN}


class RunStore:
    """The runs in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def open_or_start(self, run_id: str, settings: Settings, origin: dict[str, str] | None = None) -> Run:
        """The run called `run_id`, begun now if it is new.

        Raises:
            RunRecordError: the id is malformed, or the run exists with other settings.
        """
        name, started_at = _record_name(run_id), datetime.now(UTC).isoformat(timespec="seconds")
        body = {"settings": settings.model_dump(mode="json"), "origin": origin or {}, "started_at": started_at}
        if self._bucket.read(name) is None and self._bucket.create(name, _to_json(body)):
            return Run(self._bucket, run_id, settings, origin or {}, started_at)
        run = self.open(run_id)
        # A run is one set of settings: resumed with others, its stages would not belong together.
        if run.settings != settings:
            raise RunRecordError(
                f"Run {run_id} exists with other settings ({_difference(run.settings, settings)}). "
                "Start a new run instead."
            )
        return run

    def has(self, run_id: str) -> bool:
        """Return whether there is a run of that name."""
        return self._bucket.read(_record_name(run_id)) is not None

    def open(self, run_id: str) -> Run:
        """The run called `run_id`.

        Raises:
            RunRecordError: there is no such run.
        """
        content = self._bucket.read(_record_name(run_id))
        if content is None:
            raise RunRecordError(f"There is no run '{run_id}' in {self._bucket}. `pinsage runs` lists what there is.")
        body = json.loads(content)
        return Run(self._bucket, run_id, validate(body["settings"]), body["origin"], body["started_at"])

    def all(self) -> list[Run]:
        """Every run, the newest first."""
        return sorted(map(self.open, self.ids()), key=lambda run: run.started_at, reverse=True)

    def ids(self) -> list[str]:
        """The id of every run; their records are not looked at."""
        files = [PurePosixPath(name) for name in self._bucket.names()]
        return [str(file.parent) for file in files if file.name == RUN]


def _record_name(run_id: str) -> str:
    # An id becomes a folder's name: nothing that could lead out of the bucket passes.
    if not RUN_ID.fullmatch(run_id):
        raise RunRecordError(f"'{run_id}' is no run id. Use letters, digits and _.:+~- only, 200 at most.")
    return f"{run_id}/{RUN}"


def _difference(old: Settings, new: Settings) -> str:
    before, after = flat(old), flat(new)
    changed = [f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
    return ", ".join(changed[:5])


def _to_json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=1).encode()

"""Runs: one small record per pipeline run, and per stage the key of its artifact and the facts.

`runs/<run_id>/run.json` holds what was asked for; `runs/<run_id>/<stage>.json` what a stage answered. Every file is
whole at every moment and carries a checksum, and stages of the same run never write the same file.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from pinsage.errors import ArtifactMissingError, InputError, RunRecordError
from pinsage.settings.loading import flat, recorded_settings
from pinsage.settings.schema import Settings
from pinsage.store.bucket import Bucket
from pinsage.store.manifest import Facts
from pinsage.store.sealed import seal, unseal

RUN = "run.json"
MODEL_RUN = "model_run"  # in the origin of a refresh
_ASKED = ("settings", "origin", "started_at")  # keys of run.json
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
            RunRecordError: its record is damaged.
        """
        found = read_result(self._bucket, self.run_id, stage)
        if found is None:
            raise ArtifactMissingError(f"Run {self.run_id} has no result of '{stage}'. Run that stage first.")
        return found

    def results(self) -> dict[str, StageResult]:
        """The results of all stages that have ended, by stage name.

        Raises:
            RunRecordError: the record of one is damaged.
        """
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
        _check_id(run_id)
        name, started_at = f"{run_id}/{RUN}", datetime.now(UTC).isoformat(timespec="milliseconds")
        body = {"settings": settings.model_dump(mode="json"), "origin": origin or {}, "started_at": started_at}
        # Of two stages that begin a run at once one creates the record, and the other reads it below.
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
        _check_id(run_id)
        return self._bucket.read(f"{run_id}/{RUN}") is not None

    def open(self, run_id: str) -> Run:
        """The run called `run_id`.

        Raises:
            RunRecordError: there is no such run, or its record is damaged.
            SettingsError: this version of the code does not take its settings.
        """
        _check_id(run_id)
        body = read_request(self._bucket, run_id)
        if body is None:
            raise RunRecordError(f"There is no run '{run_id}' in {self._bucket}. `pinsage runs` lists what there is.")
        return Run(self._bucket, run_id, recorded_settings(body["settings"]), body["origin"], body["started_at"])

    def all(self) -> tuple[list[Run], dict[str, InputError]]:
        """Every run, the newest first, and the error of each that cannot be opened, by its id."""
        found: list[Run] = []
        unreadable: dict[str, InputError] = {}
        for run_id in self.ids():
            try:
                found.append(self.open(run_id))
            except InputError as error:
                unreadable[run_id] = error
        return sorted(found, key=lambda run: run.started_at, reverse=True), unreadable

    def ids(self) -> list[str]:
        """The id of every run; their records are not looked at."""
        files = [PurePosixPath(name) for name in self._bucket.names()]
        return [str(file.parent) for file in files if file.name == RUN]


def read_request(bucket: Bucket, run_id: str) -> dict[str, Any] | None:
    """The settings, origin and time of start of a run, as they were written; None where there is no such run.

    Raises:
        RunRecordError: the record is damaged.
    """
    return _read(bucket, run_id, f"{run_id}/{RUN}", _ASKED)


def read_result(bucket: Bucket, run_id: str, stage: str) -> StageResult | None:
    """The result of a stage in a run; None where it has not ended.

    Raises:
        RunRecordError: its record is damaged.
    """
    body = _read(bucket, run_id, f"{run_id}/{stage}.json", [each.name for each in fields(StageResult)])
    return None if body is None else StageResult(**body)


def _read(bucket: Bucket, run_id: str, name: str, keys: Sequence[str]) -> dict[str, Any] | None:
    content = bucket.read(name)
    if content is None:
        return None
    try:
        return unseal(json.loads(content), keys)
    except ValueError as error:
        raise RunRecordError(
            f"{bucket}/{name} is damaged ({error}). Delete {bucket}/{run_id} and start a new run: it reuses what this "
            "one has published."
        ) from None


def _check_id(run_id: str) -> None:
    # An id becomes a folder's name: nothing that could lead out of the bucket passes.
    if not RUN_ID.fullmatch(run_id):
        raise RunRecordError(f"'{run_id}' is no run id. Use letters, digits and _.:+~- only, 200 at most.")


def _difference(old: Settings, new: Settings) -> str:
    before, after = flat(old), flat(new)
    changed = [f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
    return ", ".join(changed[:5])


def _to_json(body: dict[str, Any]) -> bytes:
    return json.dumps(seal(body), indent=1).encode()

"""Marks of the runs that use an artifact, made before a stage looks whether it is there.

    uses/<stage>/<key>/<time>@<run_id>      an empty file; the time is in UTC

Who removes an artifact makes it invisible first and looks for marks then. A stage marks first and looks then. So at
least one of the two sees the other, without a lock between hosts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pinsage.store.bucket import Bucket

USES = "uses"
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Use:
    """The mark of a run that wants the artifact `key` of a stage since the time `at`."""

    stage: str
    key: str
    run_id: str
    at: datetime

    @property
    def ref(self) -> tuple[str, str]:
        """The stage and the key."""
        return self.stage, self.key

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.stage}/{self.key}/{self.at:{_TIME}}@{self.run_id}"  # no id of a run has an @


def mark_use(bucket: Bucket, stage: str, key: str, run_id: str) -> None:
    """Say that a run begins to use, or to make, an artifact."""
    bucket.create(Use(stage, key, run_id, datetime.now(UTC)).name, b"")


def read_uses(bucket: Bucket, prefix: str = "") -> list[Use]:
    """The marks in the folder `prefix` and below it, in order."""
    return [use for use in map(_parse, bucket.names(prefix)) if use is not None]


def _parse(name: str) -> Use | None:
    parts = name.split("/")
    time, at, run_id = parts[-1].partition("@")
    try:
        stage, key, _ = parts
        return Use(stage, key, run_id, datetime.strptime(time, _TIME).replace(tzinfo=UTC)) if at else None
    except ValueError:
        return None

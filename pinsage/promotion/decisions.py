"""The table of decisions on champions: one small file per decision, never replaced.

    decisions/<registered model>/<time in UTC>-<8 hex>.json

A file appears whole or not at all, and no name is taken twice, so that two writers on two hosts lose nothing. The time
begins the name: the names in order are the decisions in order.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import uuid4

from pinsage.errors import ArtifactDamagedError
from pinsage.promotion.checks import Check
from pinsage.store.bucket import Bucket
from pinsage.store.sealed import seal, unseal

DECISIONS = "decisions"
_TIME = "%Y%m%dT%H%M%S.%fZ"
Kind = Literal["promoted", "refused", "override", "rollback", "waiting", "approved", "rejected"]
_PROMOTING = ("promoted", "override", "rollback", "approved")


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        kind: what was decided.
        model: the registered model.
        version: the version that it is about; of a rollback the one that is champion again.
        champion: the champion before; None if there was none.
        reason: one or a few sentences.
        by: the run, or the person, that decided; empty where nobody answered in time.
        checks: every check with its values.
        at: when, in UTC.
    """

    kind: Kind
    model: str
    version: int
    champion: int | None
    reason: str
    by: str = ""
    checks: Sequence[Check] = ()
    at: str = field(default="", compare=False)

    @property
    def promotes(self) -> bool:
        """True if the version is champion after it."""
        return self.kind in _PROMOTING


class Decisions:
    """The decisions in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def record(self, decision: Decision) -> Decision:
        """Write a decision down, unless it is the last one on its model already: a stage may run again."""
        last = self.history(decision.model)[-1:]
        if last == [decision]:
            return last[0]
        now = datetime.now(UTC)
        dated = Decision(**{**_fields(decision), "at": now.isoformat(timespec="seconds")})
        name = f"{decision.model}/{now:{_TIME}}-{uuid4().hex[:8]}.json"
        self._bucket.create(name, (json.dumps(seal(asdict(dated)), indent=1) + "\n").encode())
        return dated

    def history(self, model: str) -> list[Decision]:
        """The decisions on a registered model, the oldest first.

        Raises:
            ArtifactDamagedError: a file is no decision.
        """
        names = [name for name in self._bucket.names(model) if name.endswith(".json")]
        # One that is listed and cannot be read is being written by somebody else: it is later than what is asked for.
        contents = ((name, self._bucket.read(name)) for name in names)
        return [_parse(name, content) for name, content in contents if content is not None]

    def models(self) -> list[str]:
        """The registered models that were decided on, that of the newest decision first."""
        newest: dict[str, str] = {}
        for name in map(PurePosixPath, self._bucket.names()):
            newest[str(name.parent)] = max(newest.get(str(name.parent), ""), name.name)
        return sorted(newest, key=lambda model: newest[model], reverse=True)


def withdrawals(history: Sequence[Decision]) -> dict[int, Decision]:
    """The versions that a person took back or rejected and that did not become champion later, with that decision.

    A question that nobody answered says nothing about the version.
    """
    found: dict[int, Decision] = {}
    for decision in history:
        if decision.kind == "rollback" and decision.champion is not None:
            found[decision.champion] = decision
        if decision.kind == "rejected" and decision.by:
            found[decision.version] = decision
        if decision.promotes:
            found.pop(decision.version, None)
    return found


def _fields(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in Decision.__dataclass_fields__}


def _parse(name: str, content: bytes) -> Decision:
    try:
        raw = unseal(json.loads(content), Decision.__dataclass_fields__)
        return Decision(**{**raw, "checks": tuple(Check(**check) for check in raw["checks"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactDamagedError(
            f"{DECISIONS}/{name} is no decision ({error!r}). Move it out of the store; the others stay."
        ) from None

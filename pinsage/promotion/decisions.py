"""The table of decisions on champions: one small file per decision, never replaced.

    decisions/<registered model>/<number, from 000001>.json

A file appears whole or not at all, and no number is taken twice: of two writers that decide on the same history the
first one stands, and the other is told.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Literal

from pinsage.errors import ArtifactDamagedError, DecisionMovedError
from pinsage.promotion.checks import Check
from pinsage.store.bucket import Bucket
from pinsage.store.sealed import seal, unseal

DECISIONS = "decisions"
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
        number: its place in the history, from 1.
    """

    kind: Kind
    model: str
    version: int
    champion: int | None
    reason: str
    by: str = ""
    checks: Sequence[Check] = ()
    at: str = field(default="", compare=False)
    number: int = field(default=0, compare=False)

    @property
    def promotes(self) -> bool:
        """True if the version is champion after it."""
        return self.kind in _PROMOTING


_WRITTEN = Decision.__dataclass_fields__.keys() - {"number"}  # which is the file's name


class Decisions:
    """The decisions in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def record(self, decision: Decision, history: Sequence[Decision]) -> Decision:
        """Write a decision down, unless it is the last one on its model already: a stage may run again.

        Args:
            decision: the decision.
            history: of the model, as it was when the decision was taken.

        Raises:
            DecisionMovedError: it is not the history any more. Whoever decides holds a lease, and may have slept.
        """
        if history and history[-1] == decision:
            return history[-1]
        number = max((each.number for each in history), default=0) + 1
        dated = replace(decision, at=datetime.now(UTC).isoformat(), number=number)
        name = f"{decision.model}/{number:06d}.json"
        body = {field: value for field, value in asdict(dated).items() if field in _WRITTEN}
        if not self._bucket.create(name, (json.dumps(seal(body), indent=1) + "\n").encode()):
            raise DecisionMovedError(
                f"Something else was decided on {decision.model} in the meantime, and stands. "
                "Run this again: it decides on what there is now."
            )
        return dated

    def history(self, model: str) -> list[Decision]:
        """The decisions on a registered model, the oldest first.

        Raises:
            ArtifactDamagedError: a file is no decision.
        """
        names = sorted((name for name in self._bucket.names(model) if name.endswith(".json")), key=_order)
        # One that is listed and cannot be read is being written by somebody else: it is later than what is asked for.
        contents = ((name, self._bucket.read(name)) for name in names)
        return [_parse(name, content) for name, content in contents if content is not None]

    def models(self) -> list[str]:
        """The registered models that were decided on, that of the newest decision first."""
        last: dict[str, str] = {}
        for name in sorted(self._bucket.names(), key=_order):
            last[str(PurePosixPath(name).parent)] = name
        times = {model: _parse(name, self._bucket.read(name) or b"").at for model, name in last.items()}
        return sorted(times, key=lambda model: times[model], reverse=True)


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


def _order(name: str) -> tuple[int, str]:
    """The place of a file in its history: by number, after those of earlier code, which began with the time."""
    stem = PurePosixPath(name).stem
    return int(stem) if stem.isdecimal() else 0, stem


def _parse(name: str, content: bytes) -> Decision:
    try:
        raw = unseal(json.loads(content), _WRITTEN)
        checks = tuple(Check(**check) for check in raw["checks"])
        return Decision(**{**raw, "checks": checks, "number": _order(name)[0]})
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactDamagedError(
            f"{DECISIONS}/{name} is no decision ({error!r}). Move it out of the store; the others stay."
        ) from None

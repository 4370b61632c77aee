"""The decision which runs, artifacts and scratch folders go: a pure function of what there is.

A run goes when it is old and many came after it. An artifact goes when nothing that stays needs it, neither directly
nor as an input of an input, and it is not young: what was published a moment ago stands in no record yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from pinsage.store.uses import Use

Ref = tuple[str, str]  # a stage and a key
Kind = Literal["run", "artifact", "scratch", "leftover"]


@dataclass(frozen=True)
class Policy:
    """The time that things stay.

    Attributes:
        keep_days: a run younger than this stays.
        keep_runs: so many of the newest runs stay, however old they are.
        grace_hours: what was made or used since stays, whatever the records say.
    """

    keep_days: float = 30.0
    keep_runs: int = 30
    grace_hours: float = 48.0


@dataclass(frozen=True)
class RecordedRun:
    """A run as its record has it: when it began, and the artifacts of its stages."""

    run_id: str
    started_at: datetime
    refs: frozenset[Ref] = frozenset()


@dataclass(frozen=True)
class StoredArtifact:
    """A published artifact: what it was made of, and when it was published."""

    inputs: frozenset[Ref]
    changed_at: datetime


@dataclass(frozen=True)
class Inventory:
    """All that a store holds and that can go.

    Attributes:
        runs: the records of runs.
        uses: the marks of runs at artifacts.
        artifacts: those published.
        scratch: the last change of each scratch folder or kept checkpoint.
        leftovers: files that no manifest names, by the folder they are in, with its last change.
    """

    runs: tuple[RecordedRun, ...] = ()
    uses: tuple[Use, ...] = ()
    artifacts: Mapping[Ref, StoredArtifact] = field(default_factory=dict)
    scratch: Mapping[Ref, datetime] = field(default_factory=dict)
    leftovers: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Needs:
    """The needs of releases and registered models, and the runs whose registry could not be asked."""

    refs: frozenset[Ref] = frozenset()
    runs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Removal:
    """One thing that goes, and why."""

    kind: Kind
    name: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The removals in their order, and the runs that stay; what was used since `young_since` stays."""

    removals: tuple[Removal, ...]
    kept_runs: frozenset[str]
    young_since: datetime

    def protects(self, use: Use) -> bool:
        """Return whether the mark of a use keeps what it marks."""
        return use.run_id in self.kept_runs or use.at >= self.young_since


def decide(inventory: Inventory, policy: Policy, now: datetime, needs: Needs = Needs()) -> Plan:
    """The plan of what goes: runs first, so that no record names an artifact that is gone."""
    young_since = now - timedelta(hours=policy.grace_hours)
    kept = _runs_to_keep(inventory, policy, now, needs)
    gone = [run for run in inventory.runs if run.run_id not in kept]
    plan = Plan((), kept, young_since)
    in_use = {use.ref for use in inventory.uses if plan.protects(use)}
    recorded = {ref for run in inventory.runs if run.run_id in kept for ref in run.refs}
    # One that was published a moment ago may not be in the record of its run yet.
    young = {ref for ref, artifact in inventory.artifacts.items() if artifact.changed_at >= young_since}
    needed = _with_inputs(in_use | recorded | young | needs.refs, inventory.artifacts)
    removals = [Removal("run", run.run_id, _why_run(run, policy, now)) for run in gone]
    for ref in sorted(set(inventory.artifacts) - needed):
        age = _days(now - inventory.artifacts[ref].changed_at)
        removals.append(Removal("artifact", "/".join(ref), f"{age} old; no run, release or model that stays needs it"))
    for ref, changed_at in sorted(inventory.scratch.items()):
        if ref not in in_use and changed_at < young_since:
            why = f"unchanged for {_days(now - changed_at)}; no run that stays works on it"
            removals.append(Removal("scratch", "/".join(ref), why))
    for name, changed_at in sorted(inventory.leftovers.items()):
        if changed_at < young_since:
            why = f"left {_days(now - changed_at)} ago by an attempt that died; no manifest names it"
            removals.append(Removal("leftover", name, why))
    return Plan(tuple(removals), kept, young_since)


def _runs_to_keep(inventory: Inventory, policy: Policy, now: datetime, needs: Needs) -> frozenset[str]:
    young_since = now - timedelta(hours=policy.grace_hours)
    since = min(now - timedelta(days=policy.keep_days), young_since)
    newest = sorted(inventory.runs, key=lambda run: run.started_at, reverse=True)
    by_count = {run.run_id for run in newest[: policy.keep_runs]}
    by_age = {run.run_id for run in newest if run.started_at >= since}
    at_work = {use.run_id for use in inventory.uses if use.at >= young_since}  # an old run that somebody resumed
    return frozenset(by_count | by_age | at_work | needs.runs)


def _with_inputs(refs: Iterable[Ref], artifacts: Mapping[Ref, StoredArtifact]) -> set[Ref]:
    """The artifacts, their inputs, and the inputs of these."""
    found, waiting = set[Ref](), list(refs)
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting.extend(artifacts[ref].inputs if ref in artifacts else ())
    return found


def _why_run(run: RecordedRun, policy: Policy, now: datetime) -> str:
    return (
        f"begun {_days(now - run.started_at)} ago; kept are {policy.keep_days:g} days and the newest {policy.keep_runs}"
    )


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f} days"

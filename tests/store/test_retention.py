"""The decision what goes: exactly the expected set stays over 40 days."""

from datetime import UTC, datetime, timedelta

import pytest

from pinsage.store.retention import Inventory, Needs, Policy, RecordedRun, StoredArtifact, decide
from pinsage.store.uses import Use

START = datetime(2026, 10, 1, tzinfo=UTC)
DAY_40 = START + timedelta(days=40)
NO_NEEDS = Needs()
POLICY = Policy(keep_days=10, keep_runs=5, grace_hours=36)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def refs(number: int) -> list[tuple[str, str]]:
    """The artifacts of a day's run: a catalog per day, a graph of it, pictures that change once a week."""
    return [("ingest", f"i{number}"), ("connect", f"c{number}"), ("featurize_visual", f"v{number // 7}")]


def inputs(stage: str, number: int) -> frozenset[tuple[str, str]]:
    return frozenset([("ingest", f"i{number}")] if stage == "connect" else [])


class Simulation:
    """A store in which a run begins each midnight and retention decides each noon."""

    def __init__(self) -> None:
        self.runs: dict[str, RecordedRun] = {}
        self.uses: list[Use] = []
        self.artifacts: dict[tuple[str, str], StoredArtifact] = {}

    def run(self, number: int, failed_after: int = 3) -> None:
        done = refs(number)[:failed_after]
        for ref in done:
            self.uses.append(Use(*ref, f"r{number}", day(number)))
            self.artifacts.setdefault(ref, StoredArtifact(inputs(ref[0], number), day(number)))
        self.runs[f"r{number}"] = RecordedRun(f"r{number}", day(number), frozenset(done))

    def prune(self, number: int, needs: Needs = NO_NEEDS) -> None:
        inventory = Inventory(tuple(self.runs.values()), tuple(self.uses), self.artifacts)
        plan = decide(inventory, POLICY, day(number + 0.5), needs)
        for removal in plan.removals:
            if removal.kind == "run":
                del self.runs[removal.name]
            else:
                stage, key = removal.name.split("/")
                del self.artifacts[stage, key]
        self.uses = [use for use in self.uses if plan.protects(use)]


def test_forty_days_keep_exactly_the_expected_set():
    """Ten days of runs stay, with what they reuse, a release of day 12 and a registered model of day 4; no more."""
    world = Simulation()
    needs = Needs(frozenset({("connect", "c12"), ("connect", "c4")}))  # a graph needs its catalog
    for number in range(41):
        world.run(number, failed_after=1 if number == 35 else 3)
        world.prune(number, needs)
    kept_days = range(31, 41)  # midnights since noon of day 30.5
    assert set(world.runs) == {f"r{number}" for number in kept_days}
    expected = {ref for number in kept_days for ref in refs(number)} | set(refs(12)[:2]) | set(refs(4)[:2])
    assert set(world.artifacts) == expected - {("connect", "c35")}  # the run that failed
    assert ("featurize_visual", "v4") in world.artifacts  # of day 28, whose run is gone: day 31 to 34 reuse it
    assert {use.run_id for use in world.uses} == set(world.runs)


def decided(inventory: Inventory, now: datetime = DAY_40, policy: Policy = POLICY, needs: Needs = NO_NEEDS) -> set[str]:
    return {f"{removal.kind} {removal.name}" for removal in decide(inventory, policy, now, needs).removals}


def test_the_newest_runs_stay_however_old_they_are():
    """Nobody ran the pipeline for a year: the newest runs are what there is."""
    runs = tuple(RecordedRun(f"r{number}", day(number)) for number in range(8))
    assert decided(Inventory(runs), now=day(365)) == {"run r0", "run r1", "run r2"}


@pytest.mark.parametrize(("hours", "gone"), [(35, set()), (37, {"artifact walk/k"})])
def test_an_artifact_that_no_record_names_stays_for_the_time_of_grace(hours, gone):
    """Its run may be about to record it."""
    artifacts = {("walk", "k"): StoredArtifact(frozenset(), day(40) - timedelta(hours=hours))}
    assert decided(Inventory(artifacts=artifacts)) == gone


def test_what_an_old_run_uses_again_stays_with_the_run_and_its_inputs():
    """Somebody resumed it: its marks are young though its record is old."""
    artifacts = {
        ("connect", "c0"): StoredArtifact(frozenset({("ingest", "i0")}), day(0)),
        ("ingest", "i0"): StoredArtifact(frozenset(), day(0)),
        ("ingest", "i1"): StoredArtifact(frozenset(), day(0)),
    }
    old = RecordedRun("r0", day(0), frozenset({("connect", "c0")}))
    inventory = Inventory((old,), (Use("connect", "c0", "r0", day(39.5)),), artifacts)
    assert decided(inventory, policy=Policy(1, 0, 36)) == {"artifact ingest/i1"}


def test_scratch_stays_while_a_run_that_stays_works_on_it():
    """A failed training's checkpoints wait as long as its run does."""
    scratch = {("train", "kept"): day(35), ("train", "gone"): day(35), ("train", "young"): day(39.9)}
    run = RecordedRun("r35", day(35))
    inventory = Inventory((run,), (Use("train", "kept", "r35", day(35)),), scratch=scratch)
    assert decided(inventory) == {"scratch train/gone"}


def test_runs_of_a_registry_that_cannot_be_asked_stay():
    """Nobody knows whether a model of theirs is champion."""
    assert (
        decided(Inventory((RecordedRun("r", day(0)),)), policy=Policy(1, 0, 1), needs=Needs(runs=frozenset({"r"})))
        == set()
    )

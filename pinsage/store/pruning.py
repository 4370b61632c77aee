"""Remove from a store what retention says, beside stages that run on other hosts.

The record of a run goes before its artifacts, and an artifact becomes invisible before its files go: whoever is killed
in between leaves nothing that looks whole and is not. What it left, the next call removes.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from pinsage.errors import ArtifactDamagedError
from pinsage.store import manifest as manifests
from pinsage.store.artifact import REMOVED
from pinsage.store.bucket import Bucket, FolderBucket
from pinsage.store.deployment import CHECKPOINTS, Store
from pinsage.store.manifest import Manifest
from pinsage.store.retention import Inventory, Needs, Plan, Policy, RecordedRun, Ref, Removal, StoredArtifact, decide
from pinsage.store.run import RUN, read_request, read_result
from pinsage.store.uses import USES, read_uses

OnRemoval = Callable[[Removal], None]


def plan(store: Store, policy: Policy, needs: Needs, now: datetime) -> Plan:
    """The plan of what goes now; nothing is changed.

    Raises:
        RunRecordError: the record of a run is damaged, so that nobody knows what it uses.
        StoreError: the store cannot be reached or refused.
    """
    return decide(take_inventory(store), policy, now, needs)


def prune(store: Store, policy: Policy, needs: Needs, now: datetime, on_removal: OnRemoval) -> Plan:
    """Remove what goes, one process of the deployment at a time; each removal is told after it was done.

    Raises:
        RunRecordError: the record of a run is damaged, so that nobody knows what it uses; nothing was removed.
        StoreError: the store cannot be reached or refused; what was removed until then is gone, and the rest is whole.
    """
    with store.one_at_a_time("prune"):
        decided = plan(store, policy, needs, now)
        for removal in decided.removals:
            if _remove(store, decided, removal):
                on_removal(removal)
        _clear_away(store, decided)
    return decided


def take_inventory(store: Store) -> Inventory:
    """The content of a store, and the scratch folders of this host."""
    # Marks and records before artifacts: what is published meanwhile is young.
    uses, runs = tuple(read_uses(store.bucket(USES))), tuple(_runs(store.bucket("runs")))
    artifacts, leftovers = _artifacts(store)
    scratch: dict[Ref, datetime] = {}
    for bucket in _scratch_buckets(store):
        for name, changed_at in bucket.changes().items():
            stage, key, *rest = (*name.split("/"), "", "")
            if any(rest):
                scratch[stage, key] = max(changed_at, scratch.get((stage, key), changed_at))
    return Inventory(runs, uses, artifacts, scratch, leftovers)


def _runs(bucket: Bucket) -> Iterator[RecordedRun]:
    names = [name.split("/") for name in bucket.names()]
    for run_id in [parts[0] for parts in names if parts[1:] == [RUN]]:
        # Not through Run, which refuses the settings of another version of the code.
        body = read_request(bucket, run_id)
        files = [parts[1] for parts in names if parts[0] == run_id and len(parts) == 2 and parts[1] != RUN]
        stages = [file.removesuffix(".json") for file in files if file.endswith(".json")]
        results = [read_result(bucket, run_id, stage) for stage in stages]
        refs = frozenset((result.stage, result.key) for result in results if result is not None)
        started_at = datetime.fromisoformat(body["started_at"]) if body else datetime.now(UTC)  # gone meanwhile
        yield RecordedRun(run_id, started_at, refs)


def _artifacts(store: Store) -> tuple[dict[Ref, StoredArtifact], dict[str, datetime]]:
    """The published artifacts, and the folders of files that belong to none, with their last change."""
    bucket = store.bucket("artifacts")
    changes = {name: at for name, at in bucket.changes().items() if name.count("/") > 1}  # a stray file is not ours
    published: dict[Ref, StoredArtifact] = {}
    attempts: dict[Ref, str] = {}
    for name, changed_at in changes.items():
        stage, key, *rest = name.split("/")
        if rest == [manifests.NAME] and not key.startswith("."):
            content = bucket.read(name) or b""
            published[stage, key] = StoredArtifact(_inputs(content, name), changed_at)
            attempts[stage, key] = manifests.named_attempt(content)
    leftovers: dict[str, datetime] = {}
    for name, changed_at in changes.items():
        place = _leftover(name, attempts, is_remote=store.is_remote)
        if place:
            leftovers[place] = max(changed_at, leftovers.get(place, changed_at))
    return published, leftovers


def _inputs(content: bytes, name: str) -> frozenset[Ref]:
    try:
        return frozenset(Manifest.parse(content, name).inputs.items())
    except ArtifactDamagedError:  # it names nothing any more; the stage that wants it says so
        return frozenset()


def _leftover(name: str, attempts: dict[Ref, str], *, is_remote: bool) -> str:
    """The folder of a file that belongs to no artifact; empty where it belongs to one, or may come to."""
    stage, key, *rest = name.split("/")
    if key.startswith(REMOVED):
        return f"{stage}/{key}"
    # An empty attempt is a manifest that nobody can read, and says nothing.
    if is_remote and len(rest) > 1 and attempts.get((stage, key), "none") not in ("", rest[0]):
        return f"{stage}/{key}/{rest[0]}"
    return ""


def _remove(store: Store, decided: Plan, removal: Removal) -> bool:
    """Remove one thing; returns False where somebody has begun to use it meanwhile."""

    def is_wanted() -> bool:
        return any(map(decided.protects, read_uses(store.bucket(USES), removal.name)))

    def is_resumed() -> bool:
        marks = read_uses(store.bucket(USES))
        return any(use.run_id == removal.name and decided.protects(use) for use in marks)

    stage, _, key = removal.name.partition("/")
    if removal.kind == "artifact":
        return store.artifacts.remove(stage, key, is_wanted)
    if removal.kind == "scratch":
        if is_wanted():
            return False
        for bucket in _scratch_buckets(store):
            bucket.remove(removal.name)
    elif removal.kind == "leftover":
        store.bucket("artifacts").remove(removal.name)
    elif is_resumed():
        return False
    else:
        runs = store.bucket("runs")
        runs.remove(f"{removal.name}/{RUN}")  # first: without it there is no run
        runs.remove(removal.name)
    return True


def _clear_away(store: Store, decided: Plan) -> None:
    """Remove marks that protect nothing any more, and what a killed call has left of the records of runs."""
    marks, runs = store.bucket(USES), store.bucket("runs")
    for use in read_uses(marks):
        if not decided.protects(use):
            marks.remove(use.name)
    names = runs.names()
    # A run begins with its own file, so that a folder without one is no run that begins.
    for run_id in sorted({name.split("/")[0] for name in names} - {name.removesuffix(f"/{RUN}") for name in names}):
        runs.remove(run_id)


def _scratch_buckets(store: Store) -> list[Bucket]:
    """The places of scratch folders: on this host, in the folder that is the store, and in a remote store."""
    here = FolderBucket(store.scratch("", "").resolve())
    return [here, store.bucket(CHECKPOINTS)] if store.is_remote else [here]

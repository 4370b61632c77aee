"""Release the champion to the serving team, or say why there is nothing to release."""

import logging
from collections.abc import Callable

from pinsage.release.contents import ReleaseParts
from pinsage.release.releases import Releases
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts
from pinsage.store.run import Run
from pinsage.tracking.registry import Registry
from pinsage.tracking.tracker import open_tracker
from tasks.running.runner import code_version
from tasks.running.work import StageWork

log = logging.getLogger(__name__)


def release(work: StageWork) -> Facts:
    """Publish the model of the run if it is champion and has no release yet, and let CURRENT name it.

    Doing it again releases nothing again, and does not undo a rollback.

    Returns:
        release (its version; empty if the model is not champion), folder, is_new, is_current, reason.
    """
    store = open_store(work.home)
    releases, gate = Releases(store), store.runs.open(work.run_id).result("promote").facts
    number = int(gate["model_version"] or 0)
    if not gate["is_champion"]:
        return _outcome("", "", False, False, f"Version {number} is not the champion: nothing to release.")
    parts = ReleaseParts(work.inputs, number, gate, work.settings, work.run_id)
    return _release(releases, parts, releases.has_served, lambda: _is_champion(work, number))


def release_refreshed(work: StageWork) -> Facts:
    """Publish what a refresh made, and let CURRENT name it while the model that it was made with still serves.

    The figures of the release are those of the run that trained the model; a refresh measures none. Tables that became
    again what they were release again what they were released as, unless a rollback took that back.

    Returns:
        As `release`.
    """
    store = open_store(work.home)
    releases, run = Releases(store), store.runs.open(work.run_id)
    number = model_version(store, run)
    if not serves(releases, number):
        return _outcome("", "", False, False, f"Version {number} does not serve any more: nothing to release.")
    inputs = {**work.inputs, "evaluate": work.fitted["evaluate"]}
    parts = ReleaseParts(inputs, number, run.result("gate").facts, work.settings, work.run_id)

    def is_settled(version: str) -> bool:
        pointer = releases.current()
        return version in (pointer.version, *pointer.withdrawn)

    return _release(releases, parts, is_settled, lambda: serves(releases, number))


def model_version(store: Store, run: Run) -> int:
    """The number of the registered model that a refresh uses."""
    return int(store.runs.open(run.model_run).result("promote").facts["model_version"] or 0)


def serves(releases: Releases, number: int) -> bool:
    """Return whether CURRENT names a release of the registered model of that number."""
    return releases.manifest(releases.current().version).facts.get("model_version") == number


def _release(
    releases: Releases, parts: ReleaseParts, is_settled: Callable[[str], bool], is_wanted: Callable[[], bool]
) -> Facts:
    """Publish a release unless it is there, and let CURRENT name it.

    Args:
        releases: of the deployment.
        parts: what to release.
        is_settled: whether a version that is there already had its turn and CURRENT is to stay as it is.
        is_wanted: asked at the last moment, see `Releases.point`.
    """
    number = parts.model_version
    found = releases.find(number, parts.index_key)
    version = found or releases.publish(parts, code_version())
    folder = f"{releases}/{version}"
    if found and is_settled(version):
        current = releases.current().version
        reason = f"Version {number} was released before. CURRENT names {current}."
        return _outcome(version, folder, False, current == version, reason)
    is_current = releases.point(version, is_wanted)
    reason = f"Version {number} is released, CURRENT names it."
    if is_current:
        log.info("release: %s", folder)
        removed = releases.prune(parts.settings.release.keep)
        if removed:
            log.info("release: removed %s (release.keep)", ", ".join(removed))
    else:
        reason = f"Another version became champion meanwhile: {version} is published, and CURRENT is left as it is."
    return _outcome(version, folder, not found, is_current, reason)


def _is_champion(work: StageWork, number: int) -> bool:
    registry = Registry(open_tracker(work.settings, work.home, work.run_id), work.settings.tracking.model_name)
    champion = registry.champion()
    return champion is not None and champion.number == number


def _outcome(version: str, folder: str, is_new: bool, is_current: bool, reason: str) -> Facts:
    return {"release": version, "folder": folder, "is_new": is_new, "is_current": is_current, "reason": reason}

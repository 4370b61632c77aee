"""Release the champion to the serving team, or say why there is nothing to release."""

import logging

from pinsage.release.contents import ReleaseParts
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts
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
    found = releases.find(number, parts.index_key)
    version = found or releases.publish(parts, code_version())
    folder = f"{releases}/{version}"
    if found and releases.has_served(version):
        current = releases.current().version
        reason = f"Version {number} was released before. CURRENT names {current}."
        return _outcome(version, folder, False, current == version, reason)
    is_current = releases.point(version, lambda: _is_champion(work, number))
    reason = f"Version {number} is released, CURRENT names it."
    if is_current:
        log.info("release: %s", folder)
        removed = releases.prune(work.settings.release.keep)
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

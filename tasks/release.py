"""Release the champion to the serving team, or say why there is nothing to release."""

import logging
from collections.abc import Callable
from contextlib import suppress

from pinsage.errors import ArtifactDamagedError
from pinsage.release.contents import ModelVersion, ReleaseParts
from pinsage.release.releases import Releases
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts
from pinsage.store.run import Run
from pinsage.tracking.registry import Registry
from pinsage.tracking.server import Server
from tasks.promoting.approval import promoted_model
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
    releases, run = Releases(store), store.runs.open(work.run_id)
    model, answered = promoted_model(run), run.result("approve").facts
    if not answered["is_champion"]:
        return _outcome("", "", False, False, _nothing_to_release(model, str(answered["answer"])))
    gate = {**run.result("promote").facts, "is_champion": True, "reason": answered["reason"]}
    parts = ReleaseParts(work.inputs, model, gate, work.settings, work.run_id)
    return _release(releases, parts, releases.has_served, lambda: _is_champion(work, model))


def release_refreshed(work: StageWork) -> Facts:
    """Publish what a refresh made, and let CURRENT name it while the model that it was made with still serves.

    The figures of the release are those of the run that trained the model; a refresh measures none. Tables that became
    again what they were release again what they were released as, unless a rollback took that back.

    Returns:
        As `release`.
    """
    store = open_store(work.home)
    releases, run = Releases(store), store.runs.open(work.run_id)
    model = refreshed_model(store, run)
    if not serves(releases, model):
        return _outcome("", "", False, False, f"{model} does not serve any more: nothing to release.")
    inputs = {**work.inputs, "evaluate": work.fitted["evaluate"]}
    parts = ReleaseParts(inputs, model, run.result("gate").facts, work.settings, work.run_id)

    def is_settled(version: str) -> bool:
        pointer = releases.current()
        return version in (pointer.version, *pointer.withdrawn)

    return _release(releases, parts, is_settled, lambda: serves(releases, model))


def refreshed_model(store: Store, run: Run) -> ModelVersion:
    """The version of the registered model that a refresh uses."""
    return promoted_model(store.runs.open(run.model_run))


def serves(releases: Releases, model: ModelVersion) -> bool:
    """Return whether CURRENT names a release of a version of a registered model."""
    return model.made(releases.manifest(releases.current().version).facts)


def _nothing_to_release(model: ModelVersion, answer: str) -> str:
    if answer == "waiting":
        number = model.number
        return (
            f"{model} waits for an approval: nothing to release. "
            f"`pinsage champion approve {number}` lets it go live, `pinsage champion reject {number}` does not."
        )
    return f"{model} is {'refused' if answer == 'rejected' else 'not the champion'}: nothing to release."


def _release(
    releases: Releases, parts: ReleaseParts, is_settled: Callable[[str], bool], is_wanted: Callable[[], bool]
) -> Facts:
    """Publish a release unless it is there, and let CURRENT name it.

    Args:
        releases: of the deployment.
        parts: what to release.
        is_settled: whether a version that is there already had its turn and CURRENT is to stay as it is.
        is_wanted: asked at the last moment, see `Releases.point`.

    Raises:
        ReleaseMovedError: CURRENT was moved meanwhile; it stays, and a retry decides anew.
    """
    model, is_wanted = parts.model, releases.unless_moved(is_wanted)  # before anything is decided on what serves
    found = releases.find(model, parts.index_key)
    if found:
        releases.clear_away()  # of an attempt that was killed when it had published
    version = found or releases.publish(parts, code_version())
    folder = f"{releases}/{version}"
    if found and is_settled(version):
        current = releases.current().version
        reason = f"{model} was released before. CURRENT names {current}."
        return _outcome(version, folder, False, current == version, reason)
    is_current = releases.point(version, is_wanted)
    if is_current:
        reason = f"{model} is released, CURRENT names it.{_data_set_before(releases, model)}"
        log.info("release: %s", folder)
        removed = releases.prune(parts.settings.release.keep)
        if removed:
            log.info("release: removed %s (release.keep)", ", ".join(removed))
    else:
        reason = f"Another version became champion meanwhile: {version} is published, and CURRENT is left as it is."
    return _outcome(version, folder, not found, is_current, reason)


def _data_set_before(releases: Releases, model: ModelVersion) -> str:
    """A sentence on the data set that CURRENT leaves, if it is another one: readers of CURRENT get other pins then."""
    for version in releases.current().previous[:1]:
        with suppress(ArtifactDamagedError):
            if (name := releases.manifest(version).facts.get("model_name", model.name)) != model.name:
                return f" Before, it named a release of {name}: a store serves one data set at a time."
    return ""


def _is_champion(work: StageWork, model: ModelVersion) -> bool:
    champion = Registry(Server(work.settings.tracking, work.home), model.name).champion()
    return champion is not None and champion.number == model.number


def _outcome(version: str, folder: str, is_new: bool, is_current: bool, reason: str) -> Facts:
    return {"release": version, "folder": folder, "is_new": is_new, "is_current": is_current, "reason": reason}

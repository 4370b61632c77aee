"""Run one stage of one run: reuse its artifact if it is there, else make and publish it."""

import importlib
import logging
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pinsage
from pinsage.errors import PinSageError
from pinsage.progress import LogMetrics, OnProgress, ignore_progress, log_nothing
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts, Manifest, artifact_key
from pinsage.store.run import Run, StageResult
from pinsage.store.uses import USES, mark_use
from tasks.running.work import StageWork
from tasks.stages import STAGES, Stage

log = logging.getLogger(__name__)


def run_stage(
    name: str, run: Run, home: Path, log_metrics: LogMetrics = log_nothing, on_progress: OnProgress = ignore_progress
) -> StageResult:
    """Run a stage, or find its artifact, and return the result, which is also written into the run's record.

    Raises:
        PinSageError: the stage cannot be done; the message says why and what to do.
    """
    stage, store = STAGES[name], open_store(home)
    recipe = stage_recipe(stage, run, home)
    if stage.has_artifact:
        mark_use(store.bucket(USES), name, recipe.key, run.run_id)  # before we look: pinsage/store/uses.py
    if stage.has_artifact and store.artifacts.has(name, recipe.key):
        manifest = store.artifacts.open(name, recipe.key).manifest
        log.info("%s: already made by an earlier run (%s), nothing to do", name, recipe.key)
        result = StageResult(name, recipe.key, manifest.seconds, True, manifest.facts)
    else:
        work = _work(stage, run, store, recipe.key, log_metrics, on_progress)
        result = _make(stage, store, recipe, work)
    run.record(result)
    return result


def stage_recipe(stage: Stage, run: Run, home: Path) -> Manifest:
    """The values that decide the bytes of a stage's artifact, and their key."""
    # Only what decides the bytes: where and how a stage runs must not make its artifact anew.
    config = {section: getattr(run.settings, section).content() for section in stage.sections}
    inputs = {name: run.result(name).key for name in stage.inputs}
    identity = _function(stage.identity)(run.settings, home) if stage.identity else {}
    key = artifact_key(stage.name, stage.version, config, inputs, identity)
    return Manifest(stage.name, key, stage.version, config, inputs, identity, code_version())


def code_version() -> str:
    """The package version, with the git commit where the code is a checkout."""
    root = Path(pinsage.__file__).parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    git = shutil.which("git") and subprocess.run(command, capture_output=True, text=True, check=False)
    commit = git.stdout.strip() if git else ""
    return f"{pinsage.__version__}+{commit}" if commit else pinsage.__version__


def _make(stage: Stage, store: Store, recipe: Manifest, work: StageWork) -> StageResult:
    function, started = _function(stage.function), time.monotonic()
    log.info("%s: %s", stage.name, stage.summary)
    work.scratch.mkdir(parents=True, exist_ok=True)
    if not stage.has_artifact:
        facts: Facts = function(work)
        return StageResult(stage.name, recipe.key, round(time.monotonic() - started, 3), False, facts)
    with store.artifacts.publish(recipe) as draft:
        draft.facts.update(function(replace(work, out=draft.folder, identity=recipe.identity)))
    # After publishing, never before: until then a retry goes on from it.
    store.drop_scratch(stage.name, recipe.key)
    manifest = store.artifacts.open(stage.name, recipe.key).manifest
    log.info("%s: published %s in %.1f s", stage.name, recipe.key, manifest.seconds)
    return StageResult(stage.name, recipe.key, manifest.seconds, False, manifest.facts)


def _work(
    stage: Stage, run: Run, store: Store, key: str, log_metrics: LogMetrics, on_progress: OnProgress
) -> StageWork:
    published = [name for name in stage.inputs if STAGES[name].has_artifact]
    inputs = {name: store.artifacts.open(name, run.result(name).key).folder for name in published}
    scratch = store.scratch(stage.name, key)
    return StageWork(
        run.settings, inputs, scratch, scratch, store.home, run.run_id, log_metrics, on_progress=on_progress
    )


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise PinSageError(f"{module} needs the package '{error.name}'. Install requirements.txt.") from error
    return function

"""Run one stage of one run: reuse its artifact if it is there, else make and publish it."""

import importlib
import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pinsage
from pinsage.errors import PinSageError, SettingsError
from pinsage.progress import LogMetrics, OnProgress, ignore_progress, log_nothing
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts, Manifest, artifact_key
from pinsage.store.run import Run, StageResult
from pinsage.store.uses import USES, mark_use
from tasks.running.log_lines import name_lines
from tasks.running.work import StageWork
from tasks.stages import REFRESH_STAGES, STAGES, Stage

log = logging.getLogger(__name__)


def run_stage(
    name: str, run: Run, home: Path, log_metrics: LogMetrics = log_nothing, on_progress: OnProgress = ignore_progress
) -> StageResult:
    """Run a stage, or find its artifact, and return the result, which is also written into the run's record.

    Raises:
        PinSageError: the stage cannot be done; the message says why and what to do.
    """
    store = open_store(home)
    stage, recipe = _plan(name, run, store)
    name_lines(run_id=run.run_id, stage=name, key=recipe.key)
    if stage.has_artifact:
        mark_use(store.bucket(USES), name, recipe.key, run.run_id)  # before we look: pinsage/store/uses.py
    if stage.has_artifact and store.artifacts.has(name, recipe.key):
        # An attempt may have been killed when it had published, and before it could put its things away.
        store.artifacts.clear_away(name)
        store.drop_scratch(name, recipe.key)
        manifest = store.artifacts.open(name, recipe.key).manifest
        log.info("%s: already made by an earlier run (%s), nothing to do", name, recipe.key)
        result = StageResult(name, recipe.key, manifest.seconds, True, manifest.facts)
    else:
        work = _work(stage, run, store, recipe.key, log_metrics, on_progress)
        result = _make(stage, store, recipe, work)
    run.record(result)
    return result


def stages_of(run: Run) -> dict[str, Stage]:
    """The stages of a run, in order: those of the pipeline that trains, or those of a refresh."""
    return REFRESH_STAGES if run.model_run else STAGES


def stage_recipe(stage: Stage, run: Run, home: Path) -> Manifest:
    """The values that decide the bytes of a stage's artifact, and their key."""
    # Only what decides the bytes: where and how a stage runs must not make its artifact anew.
    config = {section: getattr(run.settings, section).content() for section in stage.sections}
    inputs = {name: run.result(name).key for name in stage.inputs}
    if stage.fitted:
        model = open_store(home).runs.open(run.model_run)
        inputs |= {f"{name} of the model": model.result(name).key for name in stage.fitted}
    identity = _function(stage.identity)(run.settings, home) if stage.identity else {}
    if stage.sees_champion:
        from pinsage.release.releases import Releases  # for one stage of all that start a process

        # By the index, which names everything that decides an answer: a run done again is not compared with itself.
        identity["champion"] = Releases(open_store(home)).predecessor_of(inputs["index"])
    if stage.sees_former:
        from tasks.running.former import former_runs  # for one stage, too

        identity |= former_runs(run, open_store(home))
    key = artifact_key(stage.name, stage.version, config, inputs, identity)
    return Manifest(stage.name, key, stage.version, config, inputs, identity, code_version())


def code_version() -> str:
    """The package version, with the git commit where the code is a checkout."""
    root = Path(pinsage.__file__).parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    git = shutil.which("git") and subprocess.run(command, capture_output=True, text=True, check=False)
    commit = git.stdout.strip() if git else ""
    return f"{pinsage.__version__}+{commit}" if commit else pinsage.__version__


def _plan(name: str, run: Run, store: Store) -> tuple[Stage, Manifest]:
    """The stage called `name` as this run does it, and its recipe."""
    if name not in stages_of(run):
        raise SettingsError(f"Run {run.run_id} has no stage '{name}'. Its stages are: {', '.join(stages_of(run))}.")
    stage = stages_of(run)[name]
    if stage.fitted and stage.has_artifact:
        # Over data that have not changed since the training, the refresh is the model's run itself.
        trained, model = stage_recipe(STAGES[name], run, store.home), store.runs.open(run.model_run)
        if trained.key == model.result(name).key and store.artifacts.has(name, trained.key):
            return STAGES[name], trained
    return stage, stage_recipe(stage, run, store.home)


def _make(stage: Stage, store: Store, recipe: Manifest, work: StageWork) -> StageResult:
    function, started = _function(stage.function), time.monotonic()
    log.info("%s: %s", stage.name, stage.summary)
    work.scratch.mkdir(parents=True, exist_ok=True)
    if not stage.has_artifact:
        facts: Facts = function(work)
        store.drop_scratch(stage.name, recipe.key)
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
    published = [name for name in stage.inputs if stages_of(run)[name].has_artifact]
    inputs = _folders(published, run, store)
    fitted = _folders(stage.fitted, store.runs.open(run.model_run), store) if stage.fitted else {}
    scratch = store.scratch(stage.name, key)
    return StageWork(
        run.settings, inputs, scratch, scratch, store.home, run.run_id, log_metrics, on_progress=on_progress,
        fitted=fitted,
    )  # fmt: skip


def _folders(stages: Iterable[str], run: Run, store: Store) -> dict[str, Path]:
    """The folders of the artifacts of stages in a run, verified."""
    return {name: store.artifacts.open(name, run.result(name).key).folder for name in stages}


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise PinSageError(f"{module} needs the package '{error.name}'. Install requirements.txt.") from error
    return function

"""A refresh: a run that takes the model that serves to newer data, and trains nothing."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pinsage.errors import ArtifactMissingError, InputError, RunRecordError, SettingsError
from pinsage.release.releases import Releases
from pinsage.settings.loading import Flat, flat, load_settings
from pinsage.settings.schema import Settings
from pinsage.store.deployment import Store, open_store
from pinsage.store.run import MODEL_RUN, Run
from tasks.running.allowed_places import check_places
from tasks.running.runner import stage_recipe
from tasks.stages import STAGES

# The sections that a refresh may set. All others are the model's: they decided what it learned from.
FREE = ("data", "index", "release", "refresh", "cluster", "tracking")
# The stages whose results the network reads, and those that these are made of.
_READ_BY_THE_NETWORK = ("pair", "connect", "featurize_text", "featurize_visual", "featurize_saves", "walk")


def open_refresh(run_id: str, home: Path, overrides: Flat, origin: dict[str, str]) -> Run:
    """The refresh called `run_id`, begun now with the model of the release that serves if it is new.

    A retry, or a later stage, finds the model that the run began with, whatever serves by then.

    Args:
        run_id: the run.
        home: data folder of the pipeline.
        overrides: settings as `section.name`, of the sections in FREE; all others are those of the model's run.
        origin: where the run came from.

    Raises:
        ArtifactMissingError: nothing serves yet.
        SettingsError: a setting is none that a refresh may set, or names a place that is not allowed.
        InputError: the model was trained on features that today's code makes otherwise.
        RunRecordError: there is a run of this name that trains.
    """
    store = open_store(home)
    if store.runs.has(run_id):
        run = store.runs.open(run_id)
        if not run.model_run:
            raise RunRecordError(f"Run {run_id} exists and trains a model of its own. Start a refresh of another name.")
        return run
    model = served_model(store)
    check_reads(model, home)
    settings = refresh_settings(model.settings, overrides)
    check_places(settings, home)  # before the record of the run remembers them
    return store.runs.open_or_start(run_id, settings, {**origin, MODEL_RUN: model.run_id})


def check_reads(model: Run, home: Path) -> None:
    """Check that today's code makes of the model's own data what the model was trained on.

    Raises:
        InputError: a stage below it makes something else.
    """
    if changed := list(_stages_made_otherwise(model, home)):
        raise InputError(
            f"The model of run {model.run_id} was trained on what {', '.join(changed)} made then; today's code or "
            "weights make something else of the same data. Train again."
        )


def served_model(store: Store) -> Run:
    """The run that trained the model of the release that serves.

    It is that release's and not the registry's champion: after a rollback they differ, and a refresh must not undo it.

    Raises:
        ArtifactMissingError: nothing serves yet.
        RunRecordError: the run is not there any more.
    """
    releases = Releases(store)
    try:
        version = releases.current().version
    except ArtifactMissingError:
        raise InputError(
            f"There is no champion to refresh: nothing has been released in {store.place} yet. Train a model first "
            "(`pinsage run`, or the DAG train_pinsage)."
        ) from None
    run = store.runs.open(str(releases.manifest(version).facts["run_id"]))
    return store.runs.open(run.model_run) if run.model_run else run


def refresh_settings(model: Settings, overrides: Flat) -> Settings:
    """The settings of the model's run with some of other sections on top, and without its `data.as_of`.

    Raises:
        SettingsError: a setting is unknown, out of bounds, or none that a refresh may set.
    """
    for name in overrides:
        if name.partition(".")[0] not in FREE and not _is_execution(name):
            raise SettingsError(
                f"A refresh cannot set {name}: what the model learned from decides it. "
                f"It takes {', '.join(f'{section}.*' for section in FREE)}; for anything else train again."
            )
    settings = load_settings(overrides={**flat(model), "data.as_of": None, **overrides})
    if settings.refresh.held_out_saves:  # nothing is measured on them here
        pairs = settings.pairs.model_copy(update={"validation_share": 0.0, "test_share": 0.0})
        return settings.model_copy(update={"pairs": pairs})
    return settings


def _is_execution(name: str) -> bool:
    """Return whether a setting says where and how, not what."""
    section, _, field = name.partition(".")
    return section in Settings.model_fields and field not in getattr(Settings(), section).content()


def _stages_made_otherwise(model: Run, home: Path) -> Iterator[str]:
    """The stages below the model whose key would be another one today: their code, or the encoder, has changed."""
    for stage in _READ_BY_THE_NETWORK:
        with suppress(ArtifactMissingError):
            if stage_recipe(STAGES[stage], model, home).key != model.result(stage).key:
                yield stage

"""The champion on the data of today: its network embeds today's pins, so that both models answer the same questions."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pinsage.errors import RunRecordError
from pinsage.settings.schema import Settings
from pinsage.store.bucket import FolderBucket
from pinsage.store.deployment import open_store
from pinsage.store.run import MODEL_RUN, Run, RunStore
from pinsage.tracking.registry import Version
from pinsage.tracking.tracker import RUN_TAG
from tasks.running.refresh import check_reads
from tasks.running.runner import run_stage

_TAKEN = ("ingest", "pair")  # from the run of the challenger, with the pairs that were held out of it
_MADE = ("connect", "featurize_text", "featurize_visual", "featurize_saves", "walk", "train", "embed")


def run_of(champion: Version, home: Path) -> Run:
    """The run that trained a version.

    Raises:
        RunRecordError: the version names none, or the record was pruned.
    """
    run_id = champion.tags.get(RUN_TAG, "")
    if not run_id:
        raise RunRecordError(f"Version {champion.number} does not say which run trained it. A later champion will.")
    run = open_store(home).runs.open(run_id)
    return open_store(home).runs.open(run.model_run) if run.model_run else run


def embed_again(model: Run, today: Run, home: Path) -> Path:
    """The folder of the embeddings of today's pins by the network of an earlier run.

    It is a refresh of that run as far as `embed`: graph, features and neighborhoods are made of today's pins and
    training saves by the settings and the fitted parts of the model. Artifacts are published as all are, and kept with
    today's run; where today's data are the model's, they are its own.

    Args:
        model: the run that trained the network.
        today: a run that has ended its stages ingest and pair.
        home: data folder of the pipeline.

    Raises:
        InputError: the model was trained on features that today's code or data make otherwise.
        ArtifactMissingError: an artifact of the model was pruned.
        PinSageError: as the stages raise it.
    """
    check_reads(model, home)
    with TemporaryDirectory() as folder:
        # A record of its own that nobody lists; its marks of use name today's run, with which the artifacts stay.
        again = RunStore(FolderBucket(Path(folder))).open_or_start(
            today.run_id, _settings(model, today), {MODEL_RUN: model.run_id}
        )
        for stage in _TAKEN:
            again.record(today.result(stage))
        for stage in _MADE:
            run_stage(stage, again, home)
        return open_store(home).artifacts.folder("embed", again.result("embed").key)


def _settings(model: Run, today: Run) -> Settings:
    sections = {name: getattr(today.settings, name) for name in ("data", "pairs", "cluster")}
    return model.settings.model_copy(update=sections)

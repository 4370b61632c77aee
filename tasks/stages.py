"""The tables of stages: what each reads, which settings decide it, and where its function is.

`STAGES` is the pipeline that trains, `REFRESH_STAGES` the one that takes the model of an earlier run to newer data.
Pure data, cheap to import: the DAGs, the runner and the command line all read it.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline.

    `inputs` are the stages whose artifacts it reads, `sections` the settings that decide what it makes, `identity` a
    function (`module:name`, given the settings and the pipeline's home folder) whose answer also enters the key: the
    digest of data from outside. With `sees_champion` it also sees the release that the run would replace, and
    the version of that enters the key under `champion`. With
    `sees_former` it sees the runs that tasks/running/former.py names, whose keys enter its own.
    `fitted` are stages of the run whose model a refresh uses: what they learned is read from their artifacts there.
    `code` is the stage's function where that is not called as the stage.
    A stage with `has_artifact=False` acts on the world (the model registry, the releases) and runs every time; it must
    be idempotent.
    """

    name: str
    version: int
    inputs: tuple[str, ...]
    sections: tuple[str, ...]
    summary: str
    identity: str = ""
    has_artifact: bool = True
    fitted: tuple[str, ...] = ()
    code: str = ""
    sees_champion: bool = False
    sees_former: bool = False

    @property
    def function(self) -> str:
        """The stage's function, as `module:name`."""
        return self.code or f"tasks.{self.name}:{self.name}"


_TABLE = (
    Stage(
        "ingest", 2, (), ("data",), "Validate the tables, quarantine bad rows, number pins and boards.",
        identity="pinsage.ingest.source.fingerprint:dataset_identity",
    ),
    Stage("pair", 4, ("ingest",), ("pairs",), "Make positive pairs and split them before the graph exists."),
    Stage("connect", 2, ("ingest", "pair"), ("graph",), "Build the bipartite graph of the training saves."),
    Stage("featurize_text", 2, ("ingest",), ("text",), "Train word2vec on the pins' words and average it per pin."),
    Stage(
        "featurize_visual", 1, ("ingest",), ("visual",), "Encode every pin's picture.",
        identity="pinsage.features.visual:encoder_identity",
    ),
    Stage("featurize_saves", 3, ("connect",), ("spectral",), "Factorize the training saves: a vector of every pin."),
    Stage("walk", 2, ("connect",), ("walk",), "Walk the graph on Dask: neighbors, weights, hard negatives."),
    Stage(
        "train", 5, ("pair", "featurize_text", "featurize_visual", "featurize_saves", "walk"),
        ("model", "train"), "Train the convolutions on the training pairs.",
    ),
    Stage(
        "embed", 2, ("featurize_text", "featurize_visual", "featurize_saves", "walk", "train"), (),
        "Embed every pin, each vector once, layer by layer.",
    ),
    Stage("index", 4, ("ingest", "embed"), ("index",), "Build the Annoy index, as large as the recall asks."),
    Stage(
        "evaluate", 4,
        ("ingest", "pair", "connect", "featurize_text", "featurize_visual", "featurize_saves", "train", "embed"),
        ("train", "evaluate"), "Score PinSage and the baselines on held-out pairs.",
    ),
    Stage(
        "compare_days", 1, ("ingest", "connect", "featurize_text", "featurize_visual", "embed", "index"), ("drift",),
        "Compare data and model with the run before and with the champion's.", sees_former=True,
    ),
    Stage(
        "report", 4,
        ("ingest", "pair", "connect", "featurize_text", "featurize_visual", "featurize_saves",
         "walk", "train", "embed", "index", "evaluate", "compare_days"),
        ("report",), "Write the page with pictures, and the explorer of what changed for each pin.", sees_champion=True,
    ),
    Stage(
        "promote", 4,
        ("ingest", "pair", "connect", "featurize_text", "train", "embed", "index", "evaluate", "compare_days",
         "report"),
        ("promote",),
        "Register the model; make it champion if it passes every check against the champion.", has_artifact=False,
    ),
    Stage(
        "approve", 1, ("report", "promote"), ("promote",),
        "Wait for a person's word on the model, if `promote.require_approval` is set.", has_artifact=False,
    ),
    Stage(
        "release", 3, ("ingest", "featurize_text", "train", "embed", "index", "evaluate", "approve"), ("release",),
        "Release the champion: index, embeddings and model in one folder, and CURRENT names it.", has_artifact=False,
    ),
)  # fmt: skip

STAGES: dict[str, Stage] = {stage.name: stage for stage in _TABLE}

# Stages that learn something from the data take here what they learned in the model's run: words have other vectors and
# saves other columns after a second fit, and the network would be fed what it was never trained on.
_REFRESH = (
    *(STAGES[name] for name in ("ingest", "pair", "connect")),
    replace(
        STAGES["featurize_text"], fitted=("featurize_text",),
        summary="Average the word vectors that the model knows, per pin.",
    ),
    STAGES["featurize_visual"],
    replace(
        STAGES["featurize_saves"], inputs=("ingest", "connect"), fitted=("ingest", "connect", "featurize_saves"),
        summary="Fold the training saves into the columns that the model knows.",
        code="tasks.featurize_saves:fold_saves",
    ),
    STAGES["walk"],
    replace(
        STAGES["train"], inputs=("ingest", *STAGES["train"].inputs), sections=(), fitted=("ingest", "train"),
        summary="Adopt the network of the model's run for the pins of today; nothing is trained.",
        code="tasks.adopt:adopt",
    ),
    STAGES["embed"],
    STAGES["index"],
    Stage(
        "gate", 1, ("ingest", "embed", "index"), ("refresh",),
        "Compare the related pins with those of the release that serves; stop if too many changed.",
        has_artifact=False,
    ),
    replace(
        STAGES["release"], inputs=("ingest", "featurize_text", "train", "embed", "index", "gate"),
        fitted=("evaluate",), code="tasks.release:release_refreshed",
        summary="Release the refreshed index and embeddings, and CURRENT names them.",
    ),
)  # fmt: skip

REFRESH_STAGES: dict[str, Stage] = {stage.name: stage for stage in _REFRESH}

"""The settings tree: every choice of a run, with its bounds and its reason.

One source for the YAML presets, the command line, the Airflow trigger form and docs/configuration.md. A section that
decides what a stage produces enters the key of that stage's artifact; a field marked `execution` (where and how, not
what) never does.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Execution: dict[str, Any] = {"execution": True}
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Baseline = Literal[
    "combined", "visual", "annotation", "pixie", "item_knn", "rp3beta", "transitions", "ease", "svd", "als", "bpr",
    "item2vec", "popularity",
]  # fmt: skip
Seed = Annotated[int, Field(ge=0, lt=2**31, description="Seed of this part's random draws.")]


class Section(BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def content(self) -> dict[str, Any]:
        """The fields that decide what is computed, as plain JSON values; `execution` fields are left out."""
        fields = type(self).model_fields
        kept = {name for name, field in fields.items() if field.json_schema_extra != Execution}
        return self.model_dump(mode="json", include=kept)


class DataSettings(Section):
    """The data set, the instant up to which it is read, and the dirt that is tolerated."""

    dataset: str = Field(
        "", description="Folder or fsspec URL with pins, boards and saves Parquet tables.", json_schema_extra=Execution
    )
    as_of: datetime | None = Field(
        None,
        description="Saves later than this instant do not exist for the run; empty means all saves up to now.",
        json_schema_extra=Execution,
    )
    max_bad_share: Share = Field(0.05, description="A larger share of quarantined rows in a table stops the run.")
    max_id_length: int = Field(
        128, ge=1, le=1024, description="Longer pin or board ids are quarantined, in characters."
    )
    max_picture_mb: float = Field(10.0, gt=0, le=100, description="Larger pictures are quarantined, in MB.")
    max_text_length: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Longer titles, descriptions, links and annotations are cut, in characters.",
    )
    max_annotations: int = Field(
        1000, ge=1, le=100_000, description="Annotations of a pin beyond this many are left out."
    )
    memory_gb: float = Field(
        4.0,
        ge=0.1,
        le=10_000,
        description="Memory of the database engine of ingest, in GB; what does not fit is spilled to disk.",
        json_schema_extra=Execution,
    )


class PairSettings(Section):
    """Positive pairs (query, positive) and the split into train, validation and test."""

    source: Literal["auto", "engagements", "saves"] = Field(
        "auto", description="Where pairs come from; auto takes engagements when the table exists, else adjacent saves."
    )
    validation_share: Share = Field(0.1, description="Share of pairs held out to choose by (PinSage §4.2: 10 %).")
    test_share: Share = Field(0.2, description="Share of pairs held out to report once (PinSage §4.2: 20 %).")
    min_board_saves: int = Field(3, ge=2, le=1000, description="Smaller boards keep all their saves in the graph.")
    max_gap: int = Field(1, ge=1, le=50, description="Training saves this far apart on a board form a pair.")
    order: Literal["auto", "time", "none"] = Field(
        "auto",
        description="none: any two pins of a board are a training pair; auto: where adjacent saves share their time.",
    )
    session_length: int = Field(
        20, ge=0, le=100_000, description="So many saves in a row make a session, where they have an order; 0: none."
    )
    seed: Seed = 0


class GraphSettings(Section):
    """The graph of pins and boards, and optional weights of its edges."""

    edge_weights: Literal["none", "recency", "rating", "both"] = Field(
        "none",
        description="What makes a walk prefer a save: its time, the weight column of the saves, or their product.",
    )
    recency_half_life_days: float = Field(
        365.0, gt=0, le=100_000, description="A save this much older than the newest one weighs half as much."
    )


class TextSettings(Section):
    """word2vec over the annotations of a pin (PinSage §4.1)."""

    dim: int = Field(256, ge=2, le=1024, description="Dimension of a word vector (paper: 256).")
    epochs: int = Field(5, ge=1, le=100, description="Passes over the pins.")
    min_count: int = Field(2, ge=1, le=1000, description="Rarer words get no vector.")
    max_words: int = Field(64, ge=1, le=1000, description="Words of a pin beyond this many are not read.")
    seed: Seed = 0


class VisualSettings(Section):
    """The picture encoder (PinSage §4.1)."""

    encoder: Literal["descriptor", "vgg16"] = Field(
        "descriptor", description="descriptor: color and gradient statistics, no weights; vgg16: fc6, 4,096-d."
    )
    weights: str = Field("", description="Local file with VGG-16 weights in torchvision's layout.")
    max_megapixels: float = Field(25.0, gt=0, le=200, description="Larger pictures are refused before decoding.")
    batch_size: int = Field(64, ge=1, le=4096, description="Pictures encoded together.", json_schema_extra=Execution)


class SpectralSettings(Section):
    """Leading singular vectors of the normalized pin-board matrix as features of a pin; not in the paper."""

    dim: Literal["auto"] | Annotated[int, Field(ge=0, le=1024)] = Field(
        "auto", description="Columns of the spectral features; auto: as of an embedding; 0 does without them."
    )
    iterations: int = Field(
        3, ge=1, le=100, description="Passes over the saves, and one more; many are exact, few mix in what comes after."
    )
    oversampling: int = Field(32, ge=0, le=1024, description="Columns that are iterated beside those kept, at least.")
    pin_exponent: float = Field(0.4, ge=0, le=1, description="Entries are divided by the pin's degree to this power.")
    board_exponent: float = Field(0.5, ge=0, le=1, description="And by the board's degree to this power.")
    power: float = Field(
        1.0, ge=0, le=2, description="A column is scaled by its singular value to this power; 0: all alike."
    )
    unit_rows: bool = Field(
        True, description="Scale each pin's vector to unit length, which else grows or falls with its saves."
    )
    seed: Seed = 0


class WalkSettings(Section):
    """Random walks, neighborhoods and hard-negative candidates (PinSage §3.2, §3.3)."""

    num_neighbors: int = Field(20, ge=1, le=500, description="T, neighbors kept per pin (paper: 50).")
    method: Literal["expected", "walks"] = Field(
        "expected", description="expected: visit counts that walks would have on average; walks: counted on walks."
    )
    budget: int = Field(
        8192, ge=64, le=2**24, description="Saves read per pin and traversal, about, to compute expected visits."
    )
    num_walks: int = Field(500, ge=1, le=100_000, description="Walks started from each pin (method walks).")
    max_traversals: int = Field(2, ge=1, le=20, description="Most pin-board-pin traversals in one walk.")
    restart: float = Field(0.5, ge=0.0, lt=1.0, description="Probability of ending a walk after a traversal.")
    num_hard_negatives: int = Field(50, ge=0, le=1000, description="Hard-negative candidates kept per pin.")
    hard_negative_walks: int = Field(500, ge=1, le=1_000_000, description="Walks that rank candidates by PageRank.")
    hard_negative_first_rank: int = Field(2000, ge=1, description="First rank of the band at 1 M pins (paper: 2,000).")
    hard_negative_last_rank: int = Field(5000, ge=2, description="Last rank of the band at 1 M pins (paper: 5,000).")
    seed: Seed = 0
    num_partitions: int = Field(
        0, ge=0, le=100_000, description="0: 16,384 pins each, eight per thread at least.", json_schema_extra=Execution
    )


class ModelSettings(Section):
    """The network (PinSage Algorithms 1 and 2)."""

    num_layers: int = Field(1, ge=0, le=4, description="K, convolutions (paper: 2); 0 leaves the dense head alone.")
    hidden_dim: int = Field(256, ge=1, le=4096, description="m, width of a convolution (paper: 2,048).")
    embedding_dim: Literal["auto"] | Annotated[int, Field(ge=2, le=4096)] = Field(
        "auto",
        description="d, size of an embedding (paper: 1,024); auto: 512, 256 or 128, what fits all pins into 1 GiB.",
    )
    pooling: Literal["importance", "mean", "max"] = Field(
        "importance", description="How neighbors are pooled; importance weighs them by visit count (PinSage §3.2)."
    )
    linear_path: bool = Field(
        True, description="What saves say (spectral block, id embedding) also reaches the output past the convolutions."
    )
    id_embedding: Literal["auto", "always", "never"] = Field(
        "auto", description="A learned vector per pin in the linear path; auto: while all of them fit into 1 GiB."
    )
    popularity: Literal["auto"] | Annotated[float, Field(ge=0, le=10)] = Field(
        "auto",
        description="β: a pin's score is the cosine + β · log(1 + its saves); auto: chosen on validation; 0: no term.",
    )


class TrainSettings(Section):
    """Loss, negatives, curriculum and optimization (PinSage §3.3)."""

    epochs: float = Field(
        0.0,
        ge=0,
        le=10_000,
        description="Length of the training; in an epoch every pair comes once. 0: 2,000 steps, 1 to 10 epochs.",
    )
    steps: int = Field(0, ge=0, le=10_000_000, description="Length in minibatches, in place of epochs; 0: by epochs.")
    batch_size: int = Field(
        2048, ge=2, le=65_536, description="Pairs in a minibatch, of all GPUs together (paper: 2,048)."
    )
    num_negatives: int = Field(
        2000, ge=1, le=65_536, description="Random negatives shared by a minibatch, one per pin at most (paper: 500)."
    )
    max_hard_negatives: int = Field(0, ge=0, le=64, description="Hard negatives per query at the end (paper: 6).")
    curriculum: bool = Field(
        True, description="None at first, then stage by stage one more; false: all from the first step (PinSage §3.3)."
    )
    loss: Literal["max_margin", "sampled_softmax"] = Field("sampled_softmax", description="Paper: max_margin (Eq. 1).")
    margin: float = Field(0.1, gt=0, le=2, description="Δ of the max-margin loss, on unit vectors.")
    temperature: float = Field(0.1, gt=0, le=10, description="Of the sampled softmax.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak learning rate.")
    rate_batch_size: int = Field(
        0, ge=0, le=65_536, description="Batch size that the rate is meant for; it grows in proportion. 0: any size."
    )
    warmup_share: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the rate rises linearly.")
    final_rate_share: float = Field(0.1, gt=0, le=1, description="Rate at the last step as a share of the peak.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled weight decay.")
    validate_every: int = Field(
        0, ge=0, description="Steps between looks at the validation pairs; 0: a twentieth of the training."
    )
    validation_pairs: int = Field(10_000, ge=1, description="Most validation pairs looked at during training.")
    patience: int = Field(6, ge=0, le=10_000, description="Looks without a gain after which training ends; 0: never.")
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="Of the matrix products; auto: bf16 where the hardware has it, else float32."
    )
    seed: Seed = 0
    checkpoint_every: int = Field(100, ge=1, description="Steps between checkpoints.", json_schema_extra=Execution)
    log_every: int = Field(10, ge=1, description="Steps between points of the curves.", json_schema_extra=Execution)
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto takes a GPU when there is one.", json_schema_extra=Execution
    )
    num_threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: all cores.", json_schema_extra=Execution)
    num_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that share each minibatch; 0: one per visible GPU.",
        json_schema_extra=Execution,
    )
    num_producers: int = Field(
        0, ge=0, le=64, description="Threads that build minibatches; 0: by device.", json_schema_extra=Execution
    )
    resident: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Keep features and neighborhoods in the device's memory; auto: on a GPU that has room.",
        json_schema_extra=Execution,
    )
    compile: bool = Field(
        False,
        description="Compile the network (torch.compile): slower on a CPU, worth a try on a GPU.",
        json_schema_extra=Execution,
    )


class IndexSettings(Section):
    """The Annoy index of the embeddings (PinSage §3.5)."""

    target_recall: float = Field(
        0.95,
        ge=0,
        le=1,
        description="Trees and nodes to inspect rise until recall@10 against exact search is this high.",
    )
    recall_queries: int = Field(500, ge=1, le=100_000, description="Queries that the recall is measured on.")
    num_trees: int = Field(0, ge=0, le=1000, description="Trees of the index; 0: chosen by measuring, 10 to 640.")
    search_k: int = Field(
        0, ge=0, le=10_000_000, description="Nodes inspected per query; 0: chosen by measuring, 320 to 81,920."
    )
    max_size_gb: float = Field(16.0, gt=0, le=10_000, description="The index may not become larger than this, in GB.")
    max_minutes: float = Field(
        240.0,
        gt=0,
        le=100_000,
        description="A build that would end later than this stops the run, in minutes.",
        json_schema_extra=Execution,
    )
    build_threads: int = Field(
        1, ge=1, le=256, description="Threads of the build; more than one build faster, and other bytes every time."
    )
    seed: Seed = 0


class EvaluateSettings(Section):
    """Metrics and baselines (PinSage §4.2)."""

    ranks: list[Annotated[int, Field(ge=1)]] = Field([10, 50, 500], min_length=1, description="K of each hit rate.")
    mrr_scale: int = Field(100, ge=1, description="Scaled MRR is the mean of 1/ceil(rank/scale) (paper: 100).")
    max_pairs: int = Field(50_000, ge=1, description="Most pairs of a split scored; a seeded sample beyond that.")
    max_boards: int = Field(5000, ge=1, description="Most boards of a split scored; a seeded sample beyond that.")
    methods: list[Baseline] = Field(
        ["combined", "visual", "annotation", "pixie", "item_knn", "rp3beta", "transitions", "popularity"],
        description="Methods that PinSage is compared with.",
    )
    combined_steps: int = Field(200, ge=1, description="Training steps of the Combined baseline.")
    pixie_walks: int = Field(1000, ge=1, le=1_000_000, description="Walks per query of the Pixie baseline.")
    seed: Seed = 0


class ReportSettings(Section):
    """The page with pictures."""

    num_queries: int = Field(14, ge=1, le=200, description="Rows of query pictures.")
    num_neighbors: int = Field(5, ge=1, le=20, description="Pictures per method in a row.")
    seed: Seed = 0


class PromoteSettings(Section):
    """The gain that makes a challenger the champion."""

    min_gain: float = Field(0.0, ge=-1, le=1, description="Validation hit rate it must gain over the champion.")


class ClusterSettings(Section):
    """The Dask cluster that walks and infers."""

    address: str = Field(
        "",
        description="Scheduler address; empty: processes on this machine, or threads for a small catalog.",
        json_schema_extra=Execution,
    )
    num_workers: int = Field(
        2, ge=1, le=1024, description="Processes of the loopback cluster.", json_schema_extra=Execution
    )
    threads_per_worker: int = Field(
        1, ge=1, le=256, description="Threads of each of them; they share one graph.", json_schema_extra=Execution
    )
    store: str = Field(
        "",
        description="fsspec URL between workers that share no folder with us; empty: all see the same folders.",
        json_schema_extra=Execution,
    )


class TrackingSettings(Section):
    """The MLflow server."""

    uri: str = Field(
        "", description="MLflow tracking URI; empty: SQLite under the home folder.", json_schema_extra=Execution
    )
    experiment: str = Field("pinsage", min_length=1, description="MLflow experiment.", json_schema_extra=Execution)
    model_name: str = Field("pinsage", min_length=1, description="Registered model.", json_schema_extra=Execution)


class Settings(Section):
    """All settings of one run."""

    data: DataSettings = DataSettings()
    pairs: PairSettings = PairSettings()
    graph: GraphSettings = GraphSettings()
    text: TextSettings = TextSettings()
    visual: VisualSettings = VisualSettings()
    spectral: SpectralSettings = SpectralSettings()
    walk: WalkSettings = WalkSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    index: IndexSettings = IndexSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings = ReportSettings()
    promote: PromoteSettings = PromoteSettings()
    cluster: ClusterSettings = ClusterSettings()
    tracking: TrackingSettings = TrackingSettings()

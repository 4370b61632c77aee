"""The settings tree: every choice of a run, with its bounds and its reason.

One source for the YAML presets, the command line, the Airflow trigger form and docs/configuration.md. A section that
decides what a stage produces enters the key of that stage's artifact; a field marked `execution` (where and how, not
what) never does.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from pinsage.settings.live import DriftSettings, PromoteSettings, RefreshSettings, ReleaseSettings
from pinsage.settings.section import Section, Seed, Share, execution, setting

Baseline = Literal[
    "combined", "visual", "annotation", "pixie", "item_knn", "rp3beta", "transitions", "ease", "svd", "als", "bpr",
    "item2vec", "popularity",
]  # fmt: skip


class DataSettings(Section):
    """The data set, the instant up to which it is read, and the dirt that is tolerated."""

    dataset: str = execution("", "Folder or fsspec URL with pins, boards and saves Parquet tables.")
    as_of: datetime | None = execution(
        None, "Saves later than this instant do not exist for the run; empty means all saves up to now."
    )
    max_bad_share: Share = setting(0.05, "A larger share of quarantined rows in a table stops the run.")
    max_id_length: int = setting(128, "Longer pin or board ids are quarantined, in characters.", ge=1, le=1024)
    max_picture_mb: float = setting(10.0, "Larger pictures are quarantined, in MB.", gt=0, le=100)
    max_text_length: int = setting(
        10_000, "Longer titles, descriptions, links and annotations are cut, in characters.", ge=1, le=1_000_000
    )
    max_annotations: int = setting(1000, "Annotations of a pin beyond this many are left out.", ge=1, le=100_000)
    memory_gb: float = execution(
        4.0, "Memory of the database engine of ingest, in GB; what does not fit is spilled to disk.", ge=0.1, le=10_000
    )


class PairSettings(Section):
    """Positive pairs (query, positive) and the split into train, validation and test."""

    source: Literal["auto", "engagements", "saves"] = setting(
        "auto", "Where pairs come from; auto takes engagements when the table exists, else adjacent saves."
    )
    validation_share: Share = setting(0.1, "Share of pairs held out to choose by (PinSage §4.2: 10 %).")
    test_share: Share = setting(0.2, "Share of pairs held out to report once (PinSage §4.2: 20 %).")
    min_board_saves: int = setting(3, "Smaller boards keep all their saves in the graph.", ge=2, le=1000)
    max_gap: int = setting(1, "Training saves this far apart on a board form a pair.", ge=1, le=50)
    order: Literal["auto", "time", "none"] = setting(
        "auto", "none: any two pins of a board are a training pair; auto: where adjacent saves share their time."
    )
    session_length: int = setting(
        20, "So many saves in a row make a session, where they have an order; 0: none.", ge=0, le=100_000
    )
    seed: Seed = 0


class GraphSettings(Section):
    """The graph of pins and boards, and optional weights of its edges."""

    edge_weights: Literal["none", "recency", "rating", "both"] = setting(
        "none", "What makes a walk prefer a save: its time, the weight column of the saves, or their product."
    )
    recency_half_life_days: float = setting(
        365.0, "A save this much older than the newest one weighs half as much.", gt=0, le=100_000
    )


class TextSettings(Section):
    """word2vec over the annotations of a pin (PinSage §4.1)."""

    dim: int = setting(256, "Dimension of a word vector (paper: 256).", ge=2, le=1024)
    epochs: int = setting(5, "Passes over the pins.", ge=1, le=100)
    min_count: int = setting(2, "Rarer words get no vector.", ge=1, le=1000)
    max_words: int = setting(64, "Words of a pin beyond this many are not read.", ge=1, le=1000)
    seed: Seed = 0


class VisualSettings(Section):
    """The picture encoder (PinSage §4.1)."""

    encoder: Literal["descriptor", "vgg16"] = setting(
        "descriptor", "descriptor: color and gradient statistics, no weights; vgg16: fc6, 4,096-d."
    )
    weights: str = setting("", "Local file with VGG-16 weights in torchvision's layout.")
    max_megapixels: float = setting(25.0, "Larger pictures are refused before decoding.", gt=0, le=200)
    batch_size: int = execution(64, "Pictures encoded together.", ge=1, le=4096)


class SpectralSettings(Section):
    """Leading singular vectors of the normalized pin-board matrix as features of a pin; not in the paper."""

    dim: Literal["auto"] | Annotated[int, Field(ge=0, le=1024)] = setting(
        "auto", "Columns of the spectral features; auto: as of an embedding; 0 does without them."
    )
    iterations: int = setting(
        3, "Passes over the saves, and one more; many are exact, few mix in what comes after.", ge=1, le=100
    )
    oversampling: int = setting(32, "Columns that are iterated beside those kept, at least.", ge=0, le=1024)
    pin_exponent: float = setting(0.4, "Entries are divided by the pin's degree to this power.", ge=0, le=1)
    board_exponent: float = setting(0.5, "And by the board's degree to this power.", ge=0, le=1)
    power: float = setting(1.0, "A column is scaled by its singular value to this power; 0: all alike.", ge=0, le=2)
    unit_rows: bool = setting(True, "Scale each pin's vector to unit length, which else grows or falls with its saves.")
    seed: Seed = 0


class WalkSettings(Section):
    """Random walks, neighborhoods and hard-negative candidates (PinSage §3.2, §3.3)."""

    num_neighbors: int = setting(20, "T, neighbors kept per pin (paper: 50).", ge=1, le=500)
    method: Literal["expected", "walks"] = setting(
        "expected", "expected: visit counts that walks would have on average; walks: counted on walks."
    )
    budget: int = setting(8192, "Saves read per pin and traversal, about, to compute expected visits.", ge=64, le=2**24)
    num_walks: int = setting(500, "Walks started from each pin (method walks).", ge=1, le=100_000)
    max_traversals: int = setting(2, "Most pin-board-pin traversals in one walk.", ge=1, le=20)
    restart: float = setting(0.5, "Probability of ending a walk after a traversal.", ge=0.0, lt=1.0)
    num_hard_negatives: int = setting(50, "Hard-negative candidates kept per pin.", ge=0, le=1000)
    hard_negative_walks: int = setting(500, "Walks that rank candidates by PageRank.", ge=1, le=1_000_000)
    hard_negative_first_rank: int = setting(2000, "First rank of the band at 1 M pins (paper: 2,000).", ge=1)
    hard_negative_last_rank: int = setting(5000, "Last rank of the band at 1 M pins (paper: 5,000).", ge=2)
    seed: Seed = 0
    num_partitions: int = execution(0, "0: 16,384 pins each, eight per thread at least.", ge=0, le=100_000)


class ModelSettings(Section):
    """The network (PinSage Algorithms 1 and 2)."""

    num_layers: int = setting(1, "K, convolutions (paper: 2); 0 leaves the dense head alone.", ge=0, le=4)
    hidden_dim: int = setting(256, "m, width of a convolution (paper: 2,048).", ge=1, le=4096)
    embedding_dim: Literal["auto"] | Annotated[int, Field(ge=2, le=4096)] = setting(
        "auto", "d, size of an embedding (paper: 1,024); auto: 256, above a million pins 128."
    )
    pooling: Literal["importance", "mean", "max"] = setting(
        "importance", "How neighbors are pooled; importance weighs them by visit count (PinSage §3.2)."
    )
    linear_path: bool = setting(
        True, "What saves say (spectral block, id embedding) also reaches the output past the convolutions."
    )
    id_embedding: Literal["auto", "always", "never"] = setting(
        "auto", "A learned vector per pin in the linear path; auto: while all of them fit into 1 GiB."
    )
    popularity: Literal["auto"] | Annotated[float, Field(ge=0, le=10)] = setting(
        "auto", "β: a pin's score is the cosine + β · log(1 + its saves); auto: chosen on validation; 0: no term."
    )


class TrainSettings(Section):
    """Loss, negatives, curriculum and optimization (PinSage §3.3)."""

    epochs: float = setting(
        0.0,
        "Length of the training; in an epoch every pair comes once. 0: 2,000 steps, 1 to 10 epochs.",
        ge=0,
        le=10_000,
    )
    steps: int = setting(0, "Length in minibatches, in place of epochs; 0: by epochs.", ge=0, le=10_000_000)
    batch_size: int = setting(2048, "Pairs in a minibatch, of all GPUs together (paper: 2,048).", ge=2, le=65_536)
    num_negatives: int = setting(
        2000, "Random negatives shared by a minibatch, one per pin at most (paper: 500).", ge=1, le=65_536
    )
    max_hard_negatives: int = setting(0, "Hard negatives per query at the end (paper: 6).", ge=0, le=64)
    curriculum: bool = setting(
        True, "None at first, then stage by stage one more; false: all from the first step (PinSage §3.3)."
    )
    loss: Literal["max_margin", "sampled_softmax", "cross_entropy"] = setting(
        "sampled_softmax", "Paper: max_margin (Eq. 1); cross_entropy is GraphSAGE's."
    )
    margin: float = setting(0.1, "Δ of the max-margin loss, on unit vectors.", gt=0, le=2)
    temperature: float = setting(0.1, "Of the sampled softmax and the cross entropy.", gt=0, le=10)
    learning_rate: float = setting(1e-3, "Peak learning rate.", gt=0, le=1)
    rate_batch_size: int = setting(
        0, "Batch size that the rate is meant for; it grows in proportion. 0: any size.", ge=0, le=65_536
    )
    warmup_share: float = setting(0.1, "Share of the steps in which the rate rises linearly.", ge=0, lt=1)
    final_rate_share: float = setting(0.1, "Rate at the last step as a share of the peak.", gt=0, le=1)
    weight_decay: float = setting(0.0, "Decoupled weight decay.", ge=0, le=1)
    validate_every: int = setting(
        0, "Steps between looks at the validation pairs; 0: a twentieth of the training.", ge=0
    )
    validation_pairs: int = setting(10_000, "Most validation pairs looked at during training.", ge=1)
    patience: int = setting(6, "Looks without a gain after which training ends; 0: never.", ge=0, le=10_000)
    precision: Literal["auto", "float32", "bf16"] = setting(
        "auto", "Of the matrix products; auto: bf16 where the hardware has it, else float32."
    )
    seed: Seed = 0
    checkpoint_every: int = execution(100, "Steps between checkpoints.", ge=1)
    log_every: int = execution(10, "Steps between points of the curves.", ge=1)
    device: Literal["auto", "cpu", "cuda"] = execution("auto", "auto takes a GPU when there is one.")
    num_threads: int = execution(0, "CPU threads; 0: all cores.", ge=0, le=1024)
    num_processes: int = execution(0, "Processes that share each minibatch; 0: one per visible GPU.", ge=0, le=64)
    num_producers: int = execution(0, "Threads that build minibatches; 0: by device.", ge=0, le=64)
    resident: Literal["auto", "always", "never"] = execution(
        "auto", "Keep features and neighborhoods in the device's memory; auto: on a GPU that has room."
    )


class IndexSettings(Section):
    """The Annoy index of the embeddings (PinSage §3.5)."""

    target_recall: float = setting(
        0.95, "Trees and nodes to inspect rise until recall@10 against exact search is this high.", ge=0, le=1
    )
    recall_queries: int = setting(500, "Queries that the recall is measured on.", ge=1, le=100_000)
    num_trees: int = setting(0, "Trees of the index; 0: chosen by measuring, 10 to 640.", ge=0, le=1000)
    search_k: int = setting(0, "Nodes inspected per query; 0: chosen by measuring, 320 to 81,920.", ge=0, le=10_000_000)
    max_size_gb: float = setting(16.0, "The index may not become larger than this, in GB.", gt=0, le=10_000)
    max_minutes: float = execution(
        240.0, "A build that would end later than this stops the run, in minutes.", gt=0, le=100_000
    )
    build_threads: int = setting(
        1, "Threads of the build; more than one build faster, and other bytes every time.", ge=1, le=256
    )
    seed: Seed = 0


class EvaluateSettings(Section):
    """Metrics and baselines (PinSage §4.2)."""

    ranks: list[Annotated[int, Field(ge=1)]] = setting([10, 50, 500], "K of each hit rate.", min_length=1)
    mrr_scale: int = setting(100, "Scaled MRR is the mean of 1/ceil(rank/scale) (paper: 100).", ge=1)
    max_pairs: int = setting(50_000, "Most pairs of a split scored; a seeded sample beyond that.", ge=1)
    max_boards: int = setting(5000, "Most boards of a split scored; a seeded sample beyond that.", ge=1)
    methods: list[Baseline] = setting(
        ["combined", "visual", "annotation", "pixie", "item_knn", "rp3beta", "transitions", "popularity"],
        "Methods that PinSage is compared with.",
    )
    combined_steps: int = setting(200, "Training steps of the Combined baseline.", ge=1)
    pixie_walks: int = setting(1000, "Walks per query of the Pixie baseline.", ge=1, le=1_000_000)
    seed: Seed = 0


class ReportSettings(Section):
    """The page with pictures."""

    num_queries: int = setting(14, "Rows of query pictures.", ge=1, le=200)
    num_neighbors: int = setting(5, "Pictures per method in a row.", ge=1, le=20)
    explorer_pins: int = setting(
        20_000, "Pins with lists in the explorer; of more pins a sample of a quarter as many.", ge=4, le=200_000
    )
    explorer_pictures: int = setting(600, "Pictures in the explorer: those of the pins shown first.", ge=0, le=20_000)
    seed: Seed = 0


class ClusterSettings(Section):
    """The Dask cluster that walks and infers."""

    address: str = execution("", "Scheduler address; empty: processes on this machine, or threads for a small catalog.")
    num_workers: int = execution(2, "Processes of the loopback cluster.", ge=1, le=1024)
    threads_per_worker: int = execution(1, "Threads of each of them; they share one graph.", ge=1, le=256)


class TrackingSettings(Section):
    """The MLflow server."""

    uri: str = execution("", "MLflow tracking URI; empty: SQLite under the home folder.")
    experiment: str = execution("pinsage", "MLflow experiment.", min_length=1)
    model_name: str = execution(
        "", "Registered model; empty: pinsage-, the data set's name and 4 hex digits of its address."
    )


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
    drift: DriftSettings = DriftSettings()
    promote: PromoteSettings = PromoteSettings()
    release: ReleaseSettings = ReleaseSettings()
    refresh: RefreshSettings = RefreshSettings()
    cluster: ClusterSettings = ClusterSettings()
    tracking: TrackingSettings = TrackingSettings()

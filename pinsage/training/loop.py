"""Training: minibatches in, a trained network out (PinSage §3.3).

Differs from the paper: AdamW takes the place of plain SGD, which needs a learning rate per data set; the network
returned is the one with the highest validation hit rate, not the last one.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from pinsage.batches.producer import BatchProducer
from pinsage.features.width import MOST_NUMBERS, vector_width
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.progress import LogMetrics, OnProgress, ignore_progress, log_nothing
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.checkpoint import Checkpoints, identity_of
from pinsage.training.data import TrainingData, feature_moments
from pinsage.training.device import choose_device, choose_precision, keep_freed_memory, use_threads
from pinsage.training.distributed import Ranks, this_rank
from pinsage.training.interruption import TerminationNotice
from pinsage.training.loader import Inputs, Loader, num_producers
from pinsage.training.objective import Objective
from pinsage.training.schedule import resolve_settings
from pinsage.training.state import CurvePoint, TrainingState, ValidationPoint
from pinsage.training.steps import Callbacks, Pace, Steps
from pinsage.training.validation import FINE_STRENGTHS, STRENGTHS, Validator

_SCORES = 2_000_000_000  # of pairs with pins that the choice of the strength of popularity may compute: a minute


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, in evaluation mode on the training device, and how it came about.

    Attributes:
        network: with the weights of the highest validation hit rate; the last ones without validation pairs.
        curve, validation: what was seen on the way, resumed parts included.
        steps, epochs: the length of the training. `resumed_from`: the step this process began at, 0 if it began anew.
        has_stopped_early: patience with the validation hit rate ended before the steps did.
        device, precision: cpu or cuda; float32 or bfloat16.
        num_processes: how many trained together.
        is_resident: the tables were on the device.
        pairs_per_s, wait_share: of this process; see Pace.
        num_replaced: hard negatives drawn at random for want of candidates.
    """

    network: PinSageNetwork
    curve: list[CurvePoint]
    validation: list[ValidationPoint]
    steps: int
    epochs: float
    resumed_from: int
    has_stopped_early: bool
    device: str
    precision: str
    num_processes: int
    is_resident: bool
    pairs_per_s: float
    wait_share: float
    num_replaced: int

    @property
    def popularity(self) -> float:
        """The strength of popularity beside the cosine, as it was set or as validation chose it."""
        return self.network.popularity

    @property
    def best_hit_rate(self) -> float | None:
        """The validation hit rate at 10 of the returned weights; None without validation pairs."""
        return max((point.hit_rate_at_10 for point in self.validation), default=None)


def fit(
    data: TrainingData,
    model: ModelSettings,
    train: TrainSettings,
    *,
    scratch: Path | None = None,
    log_metrics: LogMetrics = log_nothing,
    on_progress: OnProgress = ignore_progress,
) -> TrainedNetwork:
    """The network that the settings make of the data.

    Within `distributed.join_ranks` all processes call this with the same arguments, and all return the same network.

    Args:
        data: features, neighborhoods and pairs of one catalog.
        model: the network. `num_layers` = 0 is the dense head on the content alone.
        train: losses, negatives and optimization, and how long: see `length.resolve_settings`.
        scratch: a folder for checkpoints, from which the same training goes on after a kill. None: no checkpoints.
        log_metrics: told the metrics of a step every `log_every` steps and at every validation.
        on_progress: called after every step how far training is.

    Raises:
        InputError: the data cannot be trained on, a GPU is asked for and absent or too small, or the checkpoints in
            `scratch` are of another training.
        TrainingDivergedError: the loss became NaN or infinite.
        TrainingInterruptedError: the process was told to end (SIGTERM).
        DiskFullError: there is no room for a checkpoint.
    """
    train = resolve_settings(train, num_pairs=data.num_pairs, num_pins=data.features.num_pins)
    device, ranks = choose_device(train), this_rank()
    # Their number is part of the result's last bits, as sums are cut by it: set before anything is computed.
    use_threads(train, ranks.count)
    state = _start(data, model, train, device)
    validator = _validator(data, model, train, train.validation_pairs, STRENGTHS)
    checkpoints = Checkpoints(scratch, identity_of(data, model, train)) if scratch else None
    first = checkpoints.restore(state) if checkpoints else 0
    loader = Loader.of(data, model, train, share=ranks.share, device=device)
    objective = _objective(state, train, loader.inputs, ranks)
    callbacks = Callbacks(checkpoints, log_metrics).of(ranks)
    steps = Steps(state, objective, validator, callbacks)
    # A checkpoint may be of a training that patience had ended: it must not go on from there.
    last = first if state.has_stalled(train.patience) else train.steps
    producers = num_producers(train, device, ranks.count)
    batches = BatchProducer(loader.minibatch, first=first, last=last, num_producers=producers)
    keeping = keep_freed_memory() if device.type == "cpu" else nullcontext()
    with keeping, TerminationNotice() as notice, batches as producer:
        told = on_progress if ranks.is_first else ignore_progress
        pace = Pace(producer, told, batch_size=train.batch_size, first=first, last=train.steps)
        steps.run(producer, pace, notice)
    _take_best(state)
    state.network.popularity = _popularity(state, data, model, train, ranks)
    return _finish(state, objective, loader, pace, data.num_pairs)


def _take_best(state: TrainingState) -> None:
    """Go back to the weights of the best look: the last steps may have lost what an earlier one had."""
    if state.best is not None:
        state.network.load_state_dict(state.best)


def _popularity(
    state: TrainingState, data: TrainingData, model: ModelSettings, train: TrainSettings, ranks: Ranks
) -> float:
    """The strength of popularity for the final weights, on more pairs and among more values than a look has time for.

    On the ten thousand pairs of a look .07 and .1 change places by chance, which costs a catalog of popular pins 3 % of
    its hits (docs/log.md).
    """
    if data.log_degree is None:
        return 0.0
    if model.popularity != "auto":
        return model.popularity
    if not len(data.validation):
        return 0.0
    limit = max(train.validation_pairs, _SCORES // data.features.num_pins)
    validator = _validator(data, model, train, limit, FINE_STRENGTHS)
    return ranks.broadcast(validator.best_hit_rate(state.network.eval())[1] if ranks.is_first else 0.0)


def _finish(state: TrainingState, objective: Objective, loader: Loader, pace: Pace, num_pairs: int) -> TrainedNetwork:
    """The trained network and its history."""
    return TrainedNetwork(
        network=state.network.eval(),
        curve=state.curve,
        validation=state.validation,
        steps=state.step,
        epochs=state.step * objective.settings.batch_size / num_pairs,
        resumed_from=pace.first,
        has_stopped_early=state.step < objective.settings.steps,
        device=state.network.mean.device.type,
        precision=str(objective.precision).removeprefix("torch."),
        num_processes=objective.ranks.count,
        is_resident=loader.is_resident,
        pairs_per_s=pace.pairs_per_s,
        wait_share=pace.wait_share,
        num_replaced=state.num_replaced,
    )


def _start(data: TrainingData, model: ModelSettings, train: TrainSettings, device: torch.device) -> TrainingState:
    """The state before the first step."""
    moments = feature_moments(data, model.num_layers)
    # From a generator of its own: no other draw of the process moves the first weights.
    network = PinSageNetwork(_shape(data, model), seed=train.seed)
    network.set_moments(*moments)
    network.to(device)
    rate, decay = train.learning_rate, train.weight_decay
    return TrainingState(network, torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True))


def _objective(state: TrainingState, train: TrainSettings, inputs: Inputs, ranks: Ranks) -> Objective:
    precision = choose_precision(train, state.network.mean.device)
    return Objective(ranks.wrap(state.network), train, inputs, precision, ranks)


def _validator(
    data: TrainingData, model: ModelSettings, train: TrainSettings, limit: int, strengths: tuple[float, ...]
) -> Validator:
    neighbors, weights = data.tables()
    return Validator(
        data.validation,
        data.features.rows,
        neighbors=neighbors,
        weights=weights,
        limit=limit,
        seed=train.seed,
        log_degree=data.log_degree,
        strengths=strengths if model.popularity == "auto" else (model.popularity,),
    )


def _shape(data: TrainingData, model: ModelSettings) -> NetworkShape:
    num_pins = data.features.num_pins
    dim = vector_width(model.embedding_dim, num_pins)
    # A table of ids grows with the catalog, and beyond some size does not fit beside what a step needs.
    fits = model.id_embedding == "always" or (model.id_embedding == "auto" and num_pins * dim <= MOST_NUMBERS)
    has_ids = model.linear_path and fits
    reads_saves = model.linear_path and "spectral" in data.features.widths
    return NetworkShape(
        blocks=tuple(data.features.widths.items()),
        num_layers=model.num_layers,
        hidden_dim=model.hidden_dim,
        embedding_dim=dim,
        pooling=model.pooling,
        has_linear_path=has_ids or reads_saves,
        num_pins=num_pins if has_ids else 0,
        convolved_length=model.hidden_dim**0.5 if reads_saves else 1.0,
    )

"""Fit the network on the training pairs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.features.matrix import FeatureMatrix
from pinsage.model.file import save_network
from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.pairs import Pairs
from pinsage.store.arrays import open_array
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts, Manifest
from pinsage.training.checkpoint import CHECKPOINT_FILES
from pinsage.training.data import TrainingData
from pinsage.training.distributed import num_processes
from pinsage.training.loop import TrainedNetwork, fit
from pinsage.walks.neighborhood import Neighborhoods
from tasks.running.ranks import done_together
from tasks.running.work import StageWork

CURVE = pa.schema(
    [("step", pa.int64()), ("loss", pa.float64()), ("learning_rate", pa.float64()), ("hard_negatives", pa.int32())]
)
VALIDATION = pa.schema([("step", pa.int64()), ("hit_rate_at_10", pa.float64()), ("popularity", pa.float64())])


def train(work: StageWork) -> Facts:
    """Facts of the training: length, final loss, validation hit rate, pace.

    Where there are several GPUs, or the settings say so, several processes train together.

    Raises:
        PinSageError: see `training.loop.fit` and `tasks.running.ranks.done_together`.

    Source: PinSage §3.3.
    """
    # An attempt on another host goes on from the last checkpoint that reached the store.
    with open_store(work.home).keep_scratch("train", work.scratch.name, CHECKPOINT_FILES):
        return _train(work)


def _train(work: StageWork) -> Facts:
    count = num_processes(work.settings.train)
    # In this process: starting another one would import PyTorch a second time.
    if count == 1:
        return publish(fit_network(work), work)
    job = work.scratch / "job.json"
    job.parent.mkdir(parents=True, exist_ok=True)
    job.write_text(work.to_json(), encoding="utf-8")
    return done_together("tasks.running.train_rank", [str(job)], count=count, log_metrics=work.log_metrics)


def fit_network(work: StageWork) -> TrainedNetwork:
    """The network of the stage's inputs and settings, by this process or by this one among several."""
    return fit(
        training_data(work),
        work.settings.model,
        work.settings.train,
        scratch=work.scratch,
        log_metrics=work.log_metrics,
        on_progress=work.on_progress,
    )


def publish(result: TrainedNetwork, work: StageWork) -> Facts:
    """Write the network and its curves, and say what came out."""
    save_network(result.network, work.out)
    _write(work.out / "curve.parquet", pa.Table.from_pylist([vars(point) for point in result.curve], CURVE))
    _write(
        work.out / "validation.parquet", pa.Table.from_pylist([vars(point) for point in result.validation], VALIDATION)
    )
    return _facts(result)


def training_data(work: StageWork) -> TrainingData:
    """The results of earlier stages to train on."""
    pairs, walk = work.inputs["pair"], work.inputs["walk"]
    return TrainingData(
        features=FeatureMatrix.open(work.inputs),
        neighborhoods=Neighborhoods.open(walk),
        hard_negatives=open_array(walk / "hard_negatives.npy", np.int32, (None, None)),
        train=Pairs.read(pairs / "train.parquet"),
        validation=Pairs.read(pairs / "validation.parquet"),
        boards=BoardPins.read(pairs / "saves.parquet") if _has_no_order(pairs) else None,
    )


def _has_no_order(pairs: Path) -> bool:
    """Return whether any two pins of a board are as good a training pair: see `pairs.split.SplitFigures`."""
    return Manifest.read(pairs).facts.get("order") == "none"


def _facts(result: TrainedNetwork) -> Facts:
    facts: Facts = {
        "steps": result.steps,
        "epochs": round(result.epochs, 3),
        "stopped_early": result.has_stopped_early,
        "final_loss": result.curve[-1].loss,
        "pairs_per_s": round(result.pairs_per_s, 1),
        "wait_share": round(result.wait_share, 4),
        "resumed_from": result.resumed_from,
        "device": result.device,
        "precision": result.precision,
        "processes": result.num_processes,
        "resident": result.is_resident,
        "id_embeddings": result.network.shape.num_pins,
        "hard_negatives_replaced": result.num_replaced,
        "popularity": result.popularity,
    }
    if result.best_hit_rate is not None:
        facts["validation_hit_rate_at_10"] = result.best_hit_rate
    return facts


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)

"""Fit the network on the training pairs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.model.file import save_network
from pinsage.pairs.pairs import Pairs
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts
from pinsage.training.data import TrainingData
from pinsage.training.loop import Fitted, fit
from pinsage.walks.neighborhood import Neighborhoods
from tasks.work import StageWork

CURVE = pa.schema(
    [("step", pa.int64()), ("loss", pa.float64()), ("learning_rate", pa.float64()), ("hard_negatives", pa.int32())]
)
VALIDATION = pa.schema([("step", pa.int64()), ("hit_rate_at_10", pa.float64())])


def train(work: StageWork) -> Facts:
    """Facts of the training: steps, final loss, validation hit rate, pace. Source: PinSage §3.3."""
    fitted = fit(
        training_data(work),
        work.settings.model,
        work.settings.train,
        scratch=work.scratch,
        log_metrics=work.log_metrics,
    )
    save_network(fitted.network, work.out)
    _write(work.out / "curve.parquet", pa.Table.from_pylist([vars(point) for point in fitted.curve], CURVE))
    _write(
        work.out / "validation.parquet", pa.Table.from_pylist([vars(point) for point in fitted.validation], VALIDATION)
    )
    return _facts(fitted)


def training_data(work: StageWork) -> TrainingData:
    """What the stages before have made to train on."""
    pairs, walk = work.inputs["pair"], work.inputs["walk"]
    degrees = BipartiteGraph.open(work.inputs["connect"]).pin_degrees
    visual, text = work.inputs["featurize_visual"], work.inputs["featurize_text"]
    return TrainingData(
        features=FeatureMatrix.open(visual=visual, text=text, pin_degrees=degrees),
        neighborhoods=Neighborhoods.open(walk),
        hard_negatives=open_array(walk / "hard_negatives.npy", np.int32, (None, None)),
        train=Pairs.read(pairs / "train.parquet"),
        validation=Pairs.read(pairs / "validation.parquet"),
    )


def _facts(fitted: Fitted) -> Facts:
    facts: Facts = {
        "steps": fitted.steps,
        "final_loss": fitted.curve[-1].loss,
        "pairs_per_s": round(fitted.pairs_per_s, 1),
        "wait_share": round(fitted.wait_share, 4),
        "resumed_from": fitted.resumed_from,
        "device": fitted.device,
        "hard_negatives_replaced": fitted.num_replaced,
    }
    if fitted.best_hit_rate is not None:
        facts["validation_hit_rate_at_10"] = fitted.best_hit_rate
    return facts


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)

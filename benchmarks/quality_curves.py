"""The peers of time_to_quality.py: each gives its hit rate by the CPU seconds that it has taken so far."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from implicit.cpu.als import AlternatingLeastSquares

from pinsage.evaluation.baselines.factors import pin_matrix
from pinsage.evaluation.baselines.item2vec import NEGATIVE_EXPONENT, SAMPLE, sentences
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.metrics import hit_rate
from pinsage.evaluation.ranking import Scorer, query_chunks, rank_chunks
from pinsage.evaluation.views import Split
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import Pairs

FACTORS, ALS_ITERATIONS, ITEM2VEC_EPOCHS = 128, 30, 30
DGL_BATCH, DGL_WIDTH = 256, 256
Asked = Callable[[Scorer], float]


@dataclass
class Curve:
    """Hit rates by CPU seconds, (seconds, hit rate), of a method with one value of its main setting."""

    method: str
    setting: str = ""
    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The highest hit rate."""
        return max(rate for _, rate in self.points)

    def seconds_to(self, rate: float) -> float | None:
        """The CPU seconds until a hit rate was reached first; None if it never was."""
        return next((seconds for seconds, found in self.points if found >= rate), None)


class Stopwatch:
    """CPU seconds of this process, those spent in pauses left out."""

    def __init__(self) -> None:
        self._began = time.process_time()

    @property
    def cpu_s(self) -> float:
        """The seconds since it was made."""
        return time.process_time() - self._began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens meanwhile: looking at the quality is no part of reaching it."""
        before = time.process_time()
        yield
        self._began += time.process_time() - before


def hit_rate_asked(split: Split) -> Asked:
    """The hit rate at 10 of all pairs of a split, of any way of scoring."""

    def asked(scorer: Scorer) -> float:
        (ranking,) = rank_chunks(query_chunks(scorer, split.queries), [split.all.targets])
        return hit_rate(ranking.ranks, 10)

    return asked


def als_curve(graph: BipartiteGraph, asked: Asked, regularization: float) -> Curve:
    """implicit's ALS, looked at after every iteration."""
    curve, watch = Curve("implicit ALS", f"regularization {regularization:g}"), Stopwatch()
    model = AlternatingLeastSquares(
        FACTORS, regularization=regularization, iterations=ALS_ITERATIONS, num_threads=1, random_state=0
    )

    def look(*_: object) -> None:
        with watch.paused():
            curve.points.append((watch.cpu_s, asked(Similarity(np.asarray(model.item_factors[:, :FACTORS])))))

    model.fit(pin_matrix(graph).T.tocsr().astype(np.float32), show_progress=False, callback=look)
    return curve


class _EpochLook(CallbackAny2Vec):
    """Looks at the vectors of a word2vec after every epoch."""

    def __init__(self, look: Callable[[Word2Vec], None]) -> None:
        self._look = look

    def on_epoch_end(self, model: Word2Vec) -> None:
        self._look(model)


def item2vec_curve(train: Pairs, num_pins: int, asked: Asked, window: float) -> Curve:
    """gensim's word2vec of the training pairs put end to end, looked at after every epoch."""
    curve, watch = Curve("gensim item2vec", f"window {window:g}"), Stopwatch()

    def look(model: Word2Vec) -> None:
        with watch.paused():
            vectors = np.zeros((num_pins, FACTORS), np.float32)
            vectors[np.array(model.wv.index_to_key, np.int64)] = model.wv.vectors
            curve.points.append((watch.cpu_s, asked(Similarity(vectors))))

    Word2Vec(
        sentences(train), vector_size=FACTORS, window=int(window), sg=1, min_count=1, epochs=ITEM2VEC_EPOCHS,
        sample=max(SAMPLE, 1 / num_pins), ns_exponent=NEGATIVE_EXPONENT, seed=0, workers=1, hashfxn=int,
        callbacks=[_EpochLook(look)],
    )  # fmt: skip
    return curve


def dgl_curve(python: str, folder: Path, asked: Asked, *, steps: int, looks: int) -> Curve:
    """DGL's PinSAGE on the same features and saves, with its own walks and one random negative per pair."""
    curve = Curve("DGL PinSAGE")
    command = [python, str(Path(__file__).with_name("dgl_quality.py")), str(folder), str(DGL_BATCH), str(DGL_WIDTH)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(looks):
            print(max(1, steps // looks), file=process.stdin, flush=True)
            seconds = json.loads(process.stdout.readline())["cpu_s"]
            curve.points.append((seconds, asked(Similarity(np.load(folder / "dgl.npy")))))
        process.stdin.close()
    return curve


def write_for_dgl(folder: Path, features: FeatureMatrix, graph: BipartiteGraph, train: Pairs) -> None:
    """Write what dgl_training.py reads: standardized features, training pairs and saves."""
    mean, scale = features.moments()
    arrays = {
        "features": (features.rows(np.arange(features.num_pins, dtype=np.int32)) - mean) / scale,
        "query": train.query,
        "positive": train.positive,
        "neighbors": np.zeros((features.num_pins, 1), np.int32),  # it draws its own; only their number is read
        "saved_pins": np.asarray(graph.board_pins),
        "saved_boards": np.repeat(np.arange(graph.num_boards, dtype=np.int32), graph.board_degrees),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)

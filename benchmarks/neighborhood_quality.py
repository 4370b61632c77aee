"""The gain of a more exact neighborhood: PinSage's hit rate with visits counted on few or many walks, or computed.

    python benchmarks/neighborhood_quality.py --dataset FOLDER [--preset conf/paper.yaml] [--seeds 3] [--split test]

Runs the stages ingest to embed for every method and seed (`walk.seed` and `train.seed`) and ranks the positives of
held-out pairs by the embeddings. Stages that do not depend on the method are made once. Prints a row per method:
hit-rate@10 and scaled MRR of PinSage as mean and standard deviation over the seeds, and the CPU time per pin of its
neighborhoods.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.metrics import hit_rate, scaled_mrr
from pinsage.evaluation.ranking import ranks
from pinsage.evaluation.views import sample_pairs
from pinsage.features.matrix import FEATURE_STAGES
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.sessions import walk_graph_folder
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.loading import load_settings, parse_override
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import top_neighbors
from tasks.running.runner import run_stage

STAGES = ("ingest", "pair", "connect", *FEATURE_STAGES, "walk", "train", "embed")
METHODS = {
    "walks 100": {"walk.method": "walks", "walk.num_walks": 100},
    "walks 1,000": {"walk.method": "walks", "walk.num_walks": 1000},
    "walks 10,000": {"walk.method": "walks", "walk.num_walks": 10_000},
    "expected, budget 1,024": {"walk.method": "expected", "walk.budget": 1024},
    "expected, budget 8,192": {"walk.method": "expected", "walk.budget": 8192},
    "expected, budget 65,536": {"walk.method": "expected", "walk.budget": 65_536},
}


def main() -> None:
    """Measure and print one row per method; raw figures go to --json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--preset", default="")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--methods", default=",".join(map(str, range(len(METHODS)))), help="numbers of methods, from 0")
    parser.add_argument("--home", default="")
    parser.add_argument("--json", default="")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    names = [list(METHODS)[int(number)] for number in chosen.methods.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(chosen.home or scratch)
        found = {name: [measured(chosen, name, seed, home) for seed in range(chosen.seeds)] for name in names}
    print(
        f"{chosen.dataset}, {chosen.preset or 'defaults'} {' '.join(chosen.set)}, "
        f"{chosen.split} pairs, {chosen.seeds} seeds"
    )
    for name, rows in found.items():
        print(
            f"{name:26} hit-rate@10 {spread(rows, 'hit_rate')}   scaled MRR {spread(rows, 'mrr')}   "
            f"{spread(rows, 'us')} us a pin"
        )
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(found, indent=1))


def measured(chosen: argparse.Namespace, name: str, seed: int, home: Path) -> dict[str, float]:
    """Hit rate, MRR and microseconds a pin of one method and seed."""
    overrides = dict(parse_override(pair) for pair in chosen.set)
    settings = load_settings(
        chosen.preset or None,
        overrides={"data.dataset": chosen.dataset, **overrides, **METHODS[name], "walk.seed": seed, "train.seed": seed},
    )
    run_id = "-".join([*name.replace(",", "").split(), str(seed)])
    run = open_store(home).runs.open_or_start(run_id, settings)
    for stage in STAGES:
        run_stage(stage, run, home)
    found = ranks(Similarity(np.load(folder(run, home, "embed") / "embeddings.npy")), pairs(chosen.split, run, home))
    row = {"hit_rate": hit_rate(found, 10), "mrr": scaled_mrr(found), "us": microseconds(settings, run, home)}
    print(f"  {name}, seed {seed}: {row}", flush=True)
    return row


def folder(run: Run, home: Path, stage: str) -> Path:
    """Return the folder that a stage of a run published."""
    return open_store(home).artifacts.folder(stage, run.result(stage).key)


def pairs(split: str, run: Run, home: Path) -> Pairs:
    """Held-out pairs, as many as the stage evaluate looks at."""
    where = folder(run, home, "pair")
    return sample_pairs(split, HeldOutPairs.read(where / f"{split}.parquet"), run.settings.evaluate)


def microseconds(settings: Settings, run: Run, home: Path) -> float:
    """CPU time of one neighborhood, over at most 2,000 pins, in microseconds."""
    hops = HopTables.of(BipartiteGraph.open(walk_graph_folder(folder(run, home, "connect"))))
    pins = np.random.default_rng(0).permutation(hops.num_pins)[:2000].astype(np.int32)
    top_neighbors(hops, pins[:1], settings.walk)
    began = time.process_time()
    top_neighbors(hops, pins, settings.walk)
    return (time.process_time() - began) / len(pins) * 1e6


def spread(rows: list[dict[str, float]], figure: str) -> str:
    """Mean and standard deviation of a figure."""
    values = [row[figure] for row in rows]
    digits = 1 if figure == "us" else 4
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.{digits}f}"


if __name__ == "__main__":
    main()

"""Learning curves: validation hit rate by step, with the curriculum, with all hard negatives at once, and with none.

    python benchmarks/learning_curves.py --dataset FOLDER --preset conf/demo.yaml [--seeds 3] [--set NAME=VALUE]
        [--plot curves.png] [--json curves.json] [--test VARIANT]

Runs the stages ingest to train for every variant and seed (`train.seed`) through one home folder, so that the stages
before are made once. Prints the hit rate at 10 on validation pairs after every look, as mean and standard deviation
over the seeds. `--test` embeds the pins by the networks of one variant, chosen beforehand, and adds its hit rate on
test pairs.
"""

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.metrics import hit_rate
from pinsage.evaluation.ranking import ranks
from pinsage.evaluation.views import sample_pairs
from pinsage.pairs.pairs import HeldOutPairs
from pinsage.settings.loading import load_settings, parse_override
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from tasks.running.runner import run_stage

STAGES = ("ingest", "pair", "connect", "featurize_text", "featurize_visual", "featurize_saves", "walk", "train")
VARIANTS: dict[str, dict[str, Any]] = {
    "curriculum": {},
    "all hard negatives from the first step": {"train.curriculum": False},
    "no hard negatives": {"train.max_hard_negatives": 0},
}


def main() -> None:
    """Print a table of the curves, and draw them."""
    chosen = options()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(chosen.home or scratch)
        found = {name: [trained(chosen, name, seed, home) for seed in range(chosen.seeds)] for name in VARIANTS}
        tested = [tested_hit_rate(run, home) for run, _ in found[chosen.test]] if chosen.test else []
    curves = {name: [curve for _, curve in runs] for name, runs in found.items()}
    print(table(curves))
    if tested:
        print(f"\n{chosen.test}: hit-rate@10 on test pairs {spread(tested)}")
    if chosen.json:
        Path(chosen.json).write_text(
            json.dumps({"arguments": vars(chosen), "curves": curves, "test": tested}, indent=1)
        )
    if chosen.plot:
        plotted(curves, Path(chosen.plot))


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--preset", default="")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--home", default="", help="data folder to keep")
    parser.add_argument("--test", choices=VARIANTS, default="")
    parser.add_argument("--plot", default="")
    parser.add_argument("--json", default="")
    return parser.parse_args()


def trained(chosen: argparse.Namespace, name: str, seed: int, home: Path) -> tuple[Run, dict[str, list[float]]]:
    """The run of one variant and seed, and its steps, hit rates and losses."""
    overrides = dict(parse_override(pair) for pair in chosen.set)
    settings = load_settings(
        chosen.preset or None,
        overrides={
            "data.dataset": chosen.dataset,
            "train.patience": 0,
            **overrides,
            **VARIANTS[name],
            "train.seed": seed,
        },
    )
    run_id = f"{Path(chosen.dataset).name}-{name.replace(' ', '-')}-{seed}"
    run = open_store(home).runs.open_or_start(run_id, settings)
    for stage in STAGES:
        run_stage(stage, run, home)
    looks = pq.read_table(folder(run, home, "train") / "validation.parquet").to_pydict()
    losses = pq.read_table(folder(run, home, "train") / "curve.parquet").to_pydict()
    print(f"  {name}, seed {seed}: {[round(rate, 4) for rate in looks['hit_rate_at_10']]}", flush=True)
    curve = {"steps": looks["step"], "hit_rates": looks["hit_rate_at_10"]}
    return run, {**curve, "loss_steps": losses["step"], "losses": losses["loss"]}


def tested_hit_rate(run: Run, home: Path) -> float:
    """The hit rate at 10 on the test pairs, as the stage evaluate counts it."""
    run_stage("embed", run, home)
    where = folder(run, home, "pair")
    pairs = sample_pairs("test", HeldOutPairs.read(where / "test.parquet"), run.settings.evaluate)
    return hit_rate(ranks(Similarity(np.load(folder(run, home, "embed") / "embeddings.npy")), pairs), 10)


def folder(run: Run, home: Path, stage: str) -> Path:
    """Return the folder that a stage of a run published."""
    return open_store(home).artifacts.folder(stage, run.result(stage).key)


def table(curves: dict[str, list[dict[str, list[float]]]]) -> str:
    """The hit rates as Markdown, a row per step and a column per variant."""
    steps = next(iter(curves.values()))[0]["steps"]
    lines = [f"| step | {' | '.join(curves)} |", "|---" * (len(curves) + 1) + "|"]
    for place, step in enumerate(steps):
        cells = [spread([curve["hit_rates"][place] for curve in of_seeds]) for of_seeds in curves.values()]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.4f}"


def plotted(curves: dict[str, list[dict[str, list[float]]]], path: Path) -> None:
    """Draw the mean of hit rate and loss by step, and the spread of the hit rate."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (axes, below) = pyplot.subplots(2, figsize=(7, 7), sharex=True)
    for name, of_seeds in curves.items():
        rates = np.array([curve["hit_rates"] for curve in of_seeds])
        mean, deviation = rates.mean(axis=0), rates.std(axis=0, ddof=1) if len(rates) > 1 else 0
        [line] = axes.plot(of_seeds[0]["steps"], mean, label=name)
        axes.fill_between(of_seeds[0]["steps"], mean - deviation, mean + deviation, color=line.get_color(), alpha=0.15)
        losses = np.mean([curve["losses"] for curve in of_seeds], axis=0)
        below.plot(of_seeds[0]["loss_steps"], losses, color=line.get_color())
    axes.set_ylabel("validation hit rate at 10")
    below.set_ylabel("training loss")
    below.set_xlabel("step")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

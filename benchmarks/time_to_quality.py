"""Time to quality: hit rate over CPU seconds, of this package, implicit's ALS, gensim's item2vec and DGL's PinSAGE.

    python benchmarks/time_to_quality.py ../shared/data/ml-latest-small-posters [--dgl DGL_VENV/bin/python]
        [--set NAME=VALUE] [--plot docs/images/time_to_quality.png]

The figure is the hit rate at 10 of all validation pairs, all pins ranked. A peer's clock stands still while it is
looked at; ours runs on through the looks of training, and begins with the stages that only we need (features, spectral
block, walks), so that the curve starts late. Reading the data, the split and the graph serve all and are nobody's.
ALS and item2vec run once for each value that the stage `evaluate` tunes; the best curve is shown. DGL (see
walk_kernel.py for its environment) gets our features, its own walks and its example's loss; without --dgl it is left
out.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hardware
import numpy as np
from quality_curves import Asked, Curve, als_curve, dgl_curve, hit_rate_asked, item2vec_curve, write_for_dgl

from pinsage.evaluation.baselines.methods import METHODS
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.views import split_views
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.loading import load_settings, parse_override
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from tasks.comparing.plan import needed_for
from tasks.running.runner import run_stage
from tasks.running.work import StageWork
from tasks.train import training_data

SHARED = ("ingest", "pair", "connect")
EVERY_PAIR = 1_000_000
HERE = Path(__file__).parent
OURS = "PinSage (this package)"


def main() -> None:
    """Measure, keep the raw numbers, print a table and draw the curves."""
    chosen = options()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as home:
        found = measured(chosen, Path(home))
    chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    curves = best_curves([Curve(**curve) for curve in found["curves"]])
    print(table(curves))
    plotted(curves, chosen.plot)


def options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--preset", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--dgl", default="", metavar="PYTHON", help="a Python that has dgl")
    parser.add_argument("--dgl-steps", type=int, default=2000)
    parser.add_argument("--dgl-looks", type=int, default=20)
    parser.add_argument("--json", type=Path, default=HERE / "results/time_to_quality.json")
    parser.add_argument("--plot", type=Path, default=HERE.parent / "docs/images/time_to_quality.png")
    return parser.parse_args()


def measured(chosen: argparse.Namespace, home: Path) -> dict[str, Any]:
    """The curves of all methods, and what ours rest on."""
    overrides = {
        **dict(map(parse_override, chosen.set)),
        "data.dataset": str(chosen.dataset.resolve()),
        "train.validation_pairs": EVERY_PAIR,
        "evaluate.max_pairs": EVERY_PAIR,
    }
    run = open_store(home).runs.open_or_start("ours", load_settings(chosen.preset, overrides))
    ours, preparing = our_curve(run, home)
    inputs = folders(run, home)
    graph, train = BipartiteGraph.open(inputs["connect"]), Pairs.read(inputs["pair"] / "train.parquet")
    held_out = HeldOutPairs.read(inputs["pair"] / "validation.parquet")
    asked = hit_rate_asked(split_views("validation", held_out, train, graph, run.settings.evaluate))
    embeddings, popularity = (np.load(inputs["embed"] / f"{name}.npy") for name in ("embeddings", "popularity"))
    curves = [ours, *peer_curves(chosen, run, home, asked)]
    return {
        "hardware": hardware.described("torch", "numba", "implicit", "gensim"),
        "dataset": chosen.dataset.name, "set": chosen.set, "pairs": len(held_out),
        "preparing_cpu_s": preparing, "train": run.result("train").facts,
        "ours_by_the_evaluation": asked(Similarity(embeddings, popularity)),
        "curves": [asdict(curve) for curve in curves],
    }  # fmt: skip


def our_curve(run: Run, home: Path) -> tuple[Curve, dict[str, float]]:
    """Our hit rate by CPU seconds, and the seconds of each stage before training that no peer needs."""
    preparing: dict[str, float] = {}
    for stage in needed_for("train")[:-1]:
        began = hardware.cpu_seconds()
        run_stage(stage, run, home)
        if stage not in SHARED:
            preparing[stage] = round(hardware.cpu_seconds() - began, 2)
    curve, began = Curve(OURS), hardware.cpu_seconds() - sum(preparing.values())

    def look(metrics: Mapping[str, float], step: int) -> None:
        if "validation/hit_rate_at_10" in metrics:
            curve.points.append((hardware.cpu_seconds() - began, metrics["validation/hit_rate_at_10"]))

    run_stage("train", run, home, log_metrics=look)
    run_stage("embed", run, home)
    return curve, preparing


def peer_curves(chosen: argparse.Namespace, run: Run, home: Path, asked: Asked) -> Iterator[Curve]:
    """The curves of the peers, one after the other, so that none disturbs another."""
    inputs, scratch = folders(run, home), home / "dgl"
    graph, train = BipartiteGraph.open(inputs["connect"]), Pairs.read(inputs["pair"] / "train.parquet")
    yield from (als_curve(graph, asked, value) for value in METHODS["als"].values)
    yield from (item2vec_curve(train, graph.num_pins, asked, value) for value in METHODS["item2vec"].values)
    if chosen.dgl:
        scratch.mkdir()
        features = training_data(StageWork(run.settings, inputs, scratch, scratch, home)).features
        write_for_dgl(scratch, features, graph, train)
        yield dgl_curve(chosen.dgl, scratch, asked, steps=chosen.dgl_steps, looks=chosen.dgl_looks)


def folders(run: Run, home: Path) -> dict[str, Path]:
    """The folder of each stage of a run."""
    store = open_store(home).artifacts
    return {name: store.open(name, result.key).folder for name, result in run.results().items()}


def best_curves(curves: list[Curve]) -> list[Curve]:
    """Of each method the curve with the highest hit rate."""
    methods = dict.fromkeys(curve.method for curve in curves)
    return [
        max((curve for curve in curves if curve.method == method), key=lambda curve: curve.best) for method in methods
    ]


def table(curves: list[Curve]) -> str:
    """The best hit rate of each method as Markdown, and the CPU seconds to it, to 95 % of it, and to a common mark."""
    mark = min(curve.best for curve in curves)
    lines = [f"| method | best hit@10 | CPU s to it | to 95 % of it | to {mark:.4f} |", "|---|---|---|---|---|"]
    for curve in sorted(curves, key=lambda curve: -curve.best):
        seconds = (curve.seconds_to(rate) for rate in (curve.best, 0.95 * curve.best, mark))
        cells = ("–" if found is None else f"{found:,.1f}" for found in seconds)
        lines.append(f"| {f'{curve.method} {curve.setting}'.rstrip()} | {curve.best:.4f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plotted(curves: list[Curve], path: Path) -> None:
    """Draw the hit rates over CPU seconds, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for curve in curves:
        axes.plot(*zip(*curve.points, strict=True), marker=".", label=f"{curve.method} {curve.setting}".rstrip())
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds")
    axes.set_ylabel("validation hit rate at 10")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

"""A run of the pipeline on one data set, with one variant of the settings and one seed, and the figures of it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
from rich.console import Console

from pinsage.datasets.demo.world import write_demo
from pinsage.settings.loading import flat, load_settings
from pinsage.settings.schema import Baseline, Settings
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from tasks.comparing.plan import LADDERS, needed_for
from tasks.running.local_run import LocalRun

FULL = "full"
VARIANTS = LADDERS["levers"]
CHANGES_NOTHING = {  # told by the facts of `full`, to spare hours
    "no sessions": lambda full: not full["pair"]["sessions"],
    "no ids": lambda full: not full["train"].get("id_embeddings"),
}
DEMO = "demo"
PRESETS = {DEMO: Path(__file__).parents[1] / "conf/demo.yaml"}  # every other set takes the defaults
METHODS = list(get_args(Baseline))
FIGURES = ("method", "split", "view", "metric", "value", "low", "high")
Overrides = dict[str, Any]
Record = dict[str, Any]


@dataclass(frozen=True)
class Workplace:
    """The data folder of all runs, the settings that all of them share, and the console."""

    home: Path
    overrides: Overrides
    console: Console

    def run(self, name: str, dataset: Path, overrides: Overrides, last_stage: str) -> Run:
        """The stages of a run up to one of them, and its record; what was made before is reused.

        The id ends in a digest of the settings: the same run goes on where it was, others do not collide.
        """
        preset, chosen = PRESETS.get(name.split("/", maxsplit=1)[0]), {**self.overrides, **overrides}
        settings = load_settings(preset, {**chosen, "data.dataset": str(dataset.resolve())})
        text = json.dumps(flat(settings), sort_keys=True)
        slug = "".join(letter if letter.isalnum() else "-" for letter in name)
        run_id = f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self.console.print(f"\n{name}: run {run_id}", markup=False)
        LocalRun(run_id, settings, self.home).perform(needed_for(last_stage), self.console)
        return open_store(self.home).runs.open(run_id)

    def folder(self, run: Run, stage: str) -> Path:
        """Return the folder that a stage of a run published."""
        return open_store(self.home).artifacts.folder(stage, run.result(stage).key)

    def dataset(self, name: str, data: Path, demo_pins: int) -> Path:
        """The folder of a data set; the demo is drawn when it is first asked for."""
        if name != DEMO:
            return data / name
        folder = self.home / "data" / f"{DEMO}-{demo_pins}"
        if not folder.is_dir():
            write_demo(folder, num_pins=demo_pins)
        return folder


def seeded(seed: int) -> Overrides:
    """The settings of a seed: that of the training, and that of the walks."""
    return {"train.seed": seed, "walk.seed": seed}


def quality_records(
    place: Workplace, name: str, dataset: Path, variants: Sequence[str], seeds: Sequence[int]
) -> Iterator[Record]:
    """The record of every variant and seed. The other methods are scored once, beside the first seed of `full`."""
    full: Record | None = None
    for variant in variants:
        if reason := _idle(variant, full):
            place.console.print(f"{name}: {variant} left out, {reason}", markup=False)
            continue
        for seed in seeds:
            methods = METHODS if (variant, seed) == (FULL, seeds[0]) else []
            overrides = {**VARIANTS[variant], **seeded(seed), "evaluate.methods": methods}
            run = place.run(f"{name}/{variant}/{seed}", dataset, overrides, "evaluate")
            record = {"set": name, "variant": variant, "seed": seed, **_record(place, run)}
            full = record if variant == FULL else full
            yield record


def _idle(variant: str, full: Record | None) -> str:
    """The reason why a variant is no run of its own; empty where it is."""
    if unknown := sorted(set(VARIANTS[variant]) - set(flat(Settings()))):
        return f"there is no setting {unknown[0]}"
    is_same = full is not None and variant in CHANGES_NOTHING and CHANGES_NOTHING[variant](full)
    return "it changes nothing there" if is_same else ""


def _record(place: Workplace, run: Run) -> Record:
    folder = place.folder(run, "evaluate")
    figures, differences = (
        pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("metrics", "differences")
    )
    return {
        **described(run),
        "evaluate": run.result("evaluate").facts,
        "figures": [[row[name] for name in FIGURES] for row in figures],
        "differences": [[row[name] for name in FIGURES] for row in differences if row["metric"] == "hit_rate@10"],
    }


def described(run: Run) -> Record:
    """The settings of a run, and the seconds of its stages when they were made."""
    defaults = flat(Settings())
    changed = {name: value for name, value in flat(run.settings).items() if value != defaults[name]}
    changed.pop("data.dataset")
    seconds = {stage: round(result.seconds, 1) for stage, result in run.results().items()}
    return {
        "settings": changed,
        "seconds": seconds,
        "pair": run.result("pair").facts,
        "train": run.result("train").facts,
    }

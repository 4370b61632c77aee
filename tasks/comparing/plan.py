"""The runs of a comparison: variants of the settings, by ladder or by hand, each from several seeds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinsage.errors import SettingsError
from pinsage.settings.loading import flat, load_settings
from pinsage.settings.schema import Settings
from tasks.stages import STAGES

Overrides = dict[str, Any]
LAST_STAGE = "evaluate"
MAX_RUNS = 200
_OF_EACH_RUN = {"train.seed", "walk.seed", "evaluate.methods"}

_PAPER = {
    "model.num_layers": 2, "model.linear_path": False, "model.id_embedding": "never", "model.popularity": 0,
    "spectral.dim": 0, "train.loss": "max_margin", "train.margin": 0.1, "train.max_hard_negatives": 6,
}  # fmt: skip
_NO_HARD = {**_PAPER, "train.max_hard_negatives": 0}

LADDERS: dict[str, dict[str, Overrides]] = {
    "levers": {
        "full": {},
        "no popularity": {"model.popularity": 0},
        "no spectral block": {"spectral.dim": 0},
        "no sessions": {"pairs.session_length": 0},
        "no ids": {"model.id_embedding": "never"},
        "no linear path": {"model.linear_path": False},
        "no convolutions": {"model.num_layers": 0},
        "paper's loss": {"train.loss": "max_margin", "train.margin": 0.1},
    },
    "table 1": {  # PinSage §4.2; Visual, Annotation and Combined come with the first run
        "PinSage": _PAPER,
        "mean-pooling-hard": {**_PAPER, "model.pooling": "mean"},
        "mean-pooling-xent": {**_NO_HARD, "model.pooling": "mean", "train.loss": "cross_entropy"},
        "mean-pooling": {**_NO_HARD, "model.pooling": "mean"},
        "max-pooling": {**_NO_HARD, "model.pooling": "max"},
    },
    "table 4": {f"T = {number}": {"walk.num_neighbors": number} for number in (50, 20, 10)},
    "curriculum": {
        "curriculum": {"train.max_hard_negatives": 6},
        "hard from the start": {"train.max_hard_negatives": 6, "train.curriculum": False},
        "no hard negatives": {"train.max_hard_negatives": 0},
    },
    "as they are": {"full": {}},
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of a comparison: what differs from the settings all share, and what it is called."""

    run_id: str
    variant: str
    seed: int
    overrides: Overrides

    @property
    def label(self) -> str:
        """Its name in Airflow."""
        return f"{self.variant}, seed {self.seed}"

    def origin(self, comparison_id: str, origin: Mapping[str, str]) -> dict[str, str]:
        """The origin in its record, by which MLflow shows it below the run of the comparison."""
        return {**origin, "comparison": comparison_id, "variant": self.variant, "seed": str(self.seed)}


@dataclass(frozen=True)
class Comparison:
    """The request: a ladder, variants of one's own by name, seeds of training and walks."""

    ladder: str = ""
    variants: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0, 1, 2)


def planned_runs(comparison_id: str, asked: Comparison, shared: Mapping[str, Any]) -> list[PlannedRun]:
    """The runs, variant by variant; the simple methods are scored beside the first one alone.

    Args:
        comparison_id: the run whose stages before the training the others reuse.
        asked: what differs; the first variant is what the others are compared with.
        shared: flat settings of all runs.

    Raises:
        SettingsError: no variant or seed, one of them twice, too many runs, or settings that are none.
    """
    variants = variants_of(asked.ladder, asked.variants)
    _check(variants, asked.seeds)
    runs = list(_runs(comparison_id, variants, asked.seeds))
    variant_by_digest: dict[str, str] = {}
    for run in runs:
        try:
            found = load_settings(None, {**shared, **run.overrides})
        except SettingsError as error:
            raise SettingsError(f"Variant '{run.variant}': {error}") from None
        same = variant_by_digest.setdefault(_digest(found), run.variant)
        if same != run.variant:
            raise SettingsError(f"The variants '{same}' and '{run.variant}' are the same settings. Leave one out.")
    return runs


def variants_of(ladder: str, own: Mapping[str, Any] | None = None) -> dict[str, Overrides]:
    """The variants of a ladder, and after them those that somebody wrote.

    Raises:
        SettingsError: there is no such ladder, or what was written is no mapping of settings by name.
    """
    if ladder and ladder not in LADDERS:
        raise SettingsError(f"There is no ladder '{ladder}'. There are: {', '.join(LADDERS)}.")
    for name, overrides in (own or {}).items():
        if not isinstance(overrides, Mapping):
            raise SettingsError(
                f"Variant '{name}' is {type(overrides).__name__}, not an object of settings. "
                'Write e.g. {"wide": {"model.hidden_dim": 512}}.'
            )
    return {**(LADDERS[ladder] if ladder else {}), **{name: dict(given) for name, given in (own or {}).items()}}


def needed_for(last_stage: str) -> list[str]:
    """A stage and those that it reads, directly or not, in the pipeline's order."""
    needed = {last_stage}
    for name in reversed(STAGES):
        needed |= set(STAGES[name].inputs) if name in needed else set()
    return [name for name in STAGES if name in needed]


def _check(variants: Mapping[str, Overrides], seeds: Sequence[int]) -> None:
    if not variants:
        raise SettingsError("There is nothing to compare. Choose a ladder, or write variants.")
    if not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise SettingsError(f"The seeds are {list(seeds)}. Give whole numbers from 0 up, e.g. [0, 1, 2].")
    if not seeds:
        raise SettingsError("There are 0 seeds. Give at least one, better three.")
    if twice := {seed for seed in seeds if seeds.count(seed) > 1}:
        raise SettingsError(f"Seed {min(twice)} is there twice. A training from the same seed is the same training.")
    if len(variants) * len(seeds) > MAX_RUNS:
        raise SettingsError(f"{len(variants)} variants of {len(seeds)} seeds are more than {MAX_RUNS} runs.")
    slugs: dict[str, str] = {}
    for name in variants:
        if (same := slugs.setdefault(_slug(name), name)) != name:
            raise SettingsError(f"The variants '{same}' and '{name}' have names too much alike. Rename one.")


def _runs(comparison_id: str, variants: Mapping[str, Overrides], seeds: Sequence[int]) -> Iterator[PlannedRun]:
    is_first = True
    for variant, overrides in variants.items():
        for seed in seeds:
            chosen = {**overrides, "train.seed": seed, "walk.seed": seed}
            if not is_first:
                chosen["evaluate.methods"] = []
            yield PlannedRun(f"{comparison_id}~{_slug(variant)}~{seed}", variant, seed, chosen)
            is_first = False


def _digest(settings: Settings) -> str:
    """The settings but those that tell the runs of a variant apart."""
    deciding = {name: value for name, value in flat(settings).items() if name not in _OF_EACH_RUN}
    return repr(sorted(deciding.items()))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "variant"

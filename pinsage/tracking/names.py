"""Names for people: of MLflow runs, and of metrics, such that a run's page begins with what one looks for.

MLflow sorts the charts of a run by the part of their name before the last slash: curves come first, then the hit rates
of every method, then the rest of PinSage's figures, then what the stages measured of themselves.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath

from pinsage.evaluation.names import deciding_rank
from pinsage.settings.loading import flat, presets
from pinsage.settings.schema import Settings
from pinsage.store.run import Run

CURVES = "curves"
_MOST_DIFFERENCES = 3
_MOST_LETTERS = 40


def deciding_metric(ranks: Sequence[int]) -> str:
    """The metric that decides, as MLflow names it: a champion is chosen by it on validation."""
    return f"hit_rate_at_{deciding_rank(ranks)}"


def registered_model(settings: Settings) -> str:
    """The name of the registered model, one per data set: `tracking.model_name`, else `pinsage-<data set>-<4 hex>`.

    The digits are of the address: folders of one name in two places are two data sets. An address is taken as it is
    written, so that a symbolic link to the newest export stays one data set.
    """
    if settings.tracking.model_name:
        return settings.tracking.model_name
    address = settings.data.dataset.strip().removeprefix("file://").rstrip("/")
    if "://" not in address:
        address = os.path.abspath(address)  # the stages of Airflow and the command line write one folder in two ways
    # MLflow allows more letters, but the name becomes part of addresses and commands.
    slug = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(address).name.lower()).strip("-")[:_MOST_LETTERS]
    return f"pinsage-{slug or 'data'}-{sha256(address.encode()).hexdigest()[:4]}"


def run_name(run: Run) -> str:
    """The data set, what differs from the nearest preset, and the start: `demo, train.steps=90, 24 Nov 20:13 UTC`."""
    if "variant" in run.origin:  # of a comparison, below whose run it is shown
        return f"{run.origin['variant']}, seed {run.origin['seed']}"
    data = run.settings.data
    world = PurePosixPath(data.dataset.rstrip("/")).name or "data set"
    until = [f"up to {data.as_of:%d %b %Y}"] if data.as_of else []
    began = f"{datetime.fromisoformat(run.started_at):%d %b %H:%M} UTC"
    return ", ".join([" ".join([world, *until]), *_differences(run.settings), began])


def curve_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a step of the training, by the names of their curves: `train/loss` becomes `curves/loss`."""
    names = {name: name.removeprefix("train/").replace("/", "_") for name in metrics}
    return {f"{CURVES}/{names[name]}": value for name, value in metrics.items()}


def _differences(settings: Settings) -> list[str]:
    """The settings that decide a result and are not those of the preset that has most of them."""
    bases = (Settings(), *presets().values())
    differing = min((_differing(settings, base) for base in bases), key=len)
    shown = [f"{name}={_short(value)}" for name, value in differing.items()][:_MOST_DIFFERENCES]
    more = len(differing) - len(shown)
    return [*shown, f"{more} more"] if more else shown


def _differing(settings: Settings, base: Settings) -> dict[str, object]:
    theirs = _deciding(base)
    return {name: value for name, value in _deciding(settings).items() if value != theirs[name]}


def _deciding(settings: Settings) -> dict[str, object]:
    """The settings without those that say where and how something runs."""
    kept = {f"{section}.{name}" for section in Settings.model_fields for name in getattr(settings, section).content()}
    return {name: value for name, value in flat(settings).items() if name in kept}


def _short(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"

"""The difference between two releases: pins, settings, figures, and how many neighbors of a pin stayed the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.ids import PinIds, rows_among
from pinsage.evaluation.names import ALL, PINSAGE
from pinsage.release.contents import METRICS
from pinsage.release.release import Answer, Release
from pinsage.serving.new_pins import SETTINGS
from pinsage.settings.loading import flat, load_recorded
from pinsage.store.manifest import Fact

DEPTH = 10
QUERIES = 500


class Related(Protocol):
    """Something that says which pins go with a pin: a release, or what is to become one."""

    pin_ids: PinIds

    def related(self, pin_id: str, k: int = 10) -> Answer:
        """The pins that go best with a pin, without itself."""
        ...


@dataclass(frozen=True)
class Difference:
    """The difference of a newer release from an older one.

    Attributes:
        added, removed: pin_ids of one that the other lacks, some of them; `num_added` and `num_removed` count all.
        kept_neighbors: the share of the first ten related pins that are the same, of those that both releases know,
            over a sample of common pins; None where there are none.
        facts, settings, figures: by name the older and the newer value, where they differ.
    """

    num_added: int
    num_removed: int
    added: list[str]
    removed: list[str]
    kept_neighbors: float | None
    facts: dict[str, tuple[Fact, Fact]]
    settings: dict[str, tuple[Any, Any]]
    figures: dict[str, tuple[float | None, float | None]]


def difference(older: tuple[Release, Path], newer: tuple[Release, Path], *, seed: int = 0) -> Difference:
    """The difference of two releases, each opened and with its folder.

    Args:
        older: the one before.
        newer: the one after.
        seed: of the sample of pins whose neighbors are compared.
    """
    ids = [release.pin_ids.array for release, _ in (older, newer)]
    added, removed = (one.filter(pc.invert(pc.is_in(one, other))) for one, other in (ids[::-1], ids))
    return Difference(
        len(added), len(removed), added[:5].to_pylist(), removed[:5].to_pylist(),
        kept_neighbors(older[0], newer[0], seed=seed),
        _differences(older[0].facts, newer[0].facts),
        _differences(_settings(older[1]), _settings(newer[1])),
        _differences(_figures(older[1]), _figures(newer[1])),
    )  # fmt: skip


def kept_neighbors(
    older: Related, newer: Related, *, seed: int = 0, saves: NDArray[np.integer] | None = None
) -> float | None:
    """The share of the ten pins related to a pin that stayed the same, averaged over a sample of common pins.

    A neighbor that only one release knows came or went with the catalog and does not count.

    Args:
        older: the one before.
        newer: the one after.
        seed: of the sample.
        saves: of each pin of `newer`, [P]; pins are then drawn in proportion to 1 + their saves, else all alike.
    """
    ids = older.pin_ids.array.filter(pc.is_in(older.pin_ids.array, newer.pin_ids.array))
    if len(ids) < 2:
        return None
    common, known = ids.to_pylist(), set(ids.to_pylist())
    # A pin may be drawn several times: it is asked once and weighs as often.
    places, times = _sample(len(ids), seed, None if saves is None else saves[rows_among(ids, newer.pin_ids.array)])
    shares = []
    for pin_id in (common[place] for place in places):
        before, after = (set(release.related(pin_id, DEPTH).pin_ids) & known for release in (older, newer))
        shares.append(len(before & after) / max(len(before), len(after), 1))
    return float(np.average(shares, weights=times))


def _sample(num_pins: int, seed: int, saves: NDArray[np.integer] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some pins, each once, and how often each was drawn: int64 [n] both."""
    rng = np.random.default_rng(seed)
    if saves is None:
        places = rng.choice(num_pins, min(QUERIES, num_pins), replace=False)
        return places, np.ones(len(places), np.int64)
    # With replacement, so that the mean over the draws is the weighted mean whatever the weights are.
    shares = (1.0 + saves) / (num_pins + saves.sum())
    drawn, times = np.unique(rng.choice(num_pins, QUERIES, p=shares), return_counts=True)
    return drawn, times


def _differences(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*older, *(name for name in newer if name not in older)]
    pairs = {name: (older.get(name), newer.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _settings(folder: Path) -> dict[str, Any]:
    return flat(load_recorded(folder / SETTINGS))


def _figures(folder: Path) -> dict[str, float]:
    """PinSage's metrics on all test pairs."""
    rows = pq.read_table(folder / METRICS).to_pylist()
    ours = [row for row in rows if (row["method"], row["split"], row["view"]) == (PINSAGE, "test", ALL)]
    return {str(row["metric"]): round(row["value"], 6) for row in ours}

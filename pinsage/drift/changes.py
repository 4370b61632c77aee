"""The change of a run's data since the profile of an earlier run, as numbers by the name of the measure."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pinsage.catalog.ids import rows_among
from pinsage.drift.cells import count_cells
from pinsage.drift.profile import Profile, pictures
from pinsage.drift.psi import stability_index

QUARANTINE = "quarantine/"
_FREQUENT_WORDS = 100  # each a bin, and one for all others


def data_changes(before: Profile, now: Profile, featurized_visual: Path) -> dict[str, float]:
    """The changes of the data; what one of the two has nothing of is left out.

    Counts change by a share of what there was, coverage and quarantine by points of a share, distributions by a
    population stability index. `vocabulary` is the share of today's words, each as often as it is used, that the
    earlier run did not know.

    Args:
        before: of the earlier run.
        now: of today's.
        featurized_visual: today's artifact, whose vectors are counted in the earlier run's cells.
    """
    counts = {name: now.counts[name] / count - 1 for name, count in before.counts.items() if count}
    coverage = {name: now.coverage[name] - share for name, share in before.coverage.items()}
    reasons = {**dict.fromkeys(before.quarantine, 0.0), **now.quarantine}
    refused = {f"{QUARANTINE}{name}": share - before.quarantine.get(name, 0.0) for name, share in reasons.items()}
    found = {"degrees": stability_index(before.degrees, now.degrees), **_words(before, now)}
    return counts | coverage | refused | found | dict(_looks(before, featurized_visual))


def levels(today: Profile) -> dict[str, float]:
    """The figures of today by themselves, by the name of their measure; distributions have none."""
    refused = {f"{QUARANTINE}{name}": share for name, share in today.quarantine.items()}
    return {**{name: float(count) for name, count in today.counts.items()}, **today.coverage, **refused}


def _words(before: Profile, now: Profile) -> Mapping[str, float]:
    if not len(before.words) or not len(now.words):
        return {}
    places = rows_among(now.words["word"], before.words["word"])
    counts, earlier = (np.asarray(table["count"]).astype(np.int64) for table in (now.words, before.words))
    known = np.bincount(places[places >= 0], counts[places >= 0], minlength=len(earlier))
    frequent = np.argsort(-earlier, kind="stable")[:_FREQUENT_WORDS]
    bins = [
        np.append(each[frequent], all_uses - each[frequent].sum())
        for each, all_uses in ((earlier, earlier.sum()), (known, counts.sum()))
    ]
    return {"vocabulary": float(counts[places < 0].sum() / counts.sum()), "word_use": stability_index(*bins)}


def _looks(before: Profile, featurized_visual: Path) -> Iterator[tuple[str, float]]:
    visual, pictured = pictures(featurized_visual)
    # Vectors of another encoder have no place among the cells of this one.
    if before.look_counts and len(pictured) and before.looks.shape[1] == visual.shape[1]:
        yield "looks", stability_index(before.look_counts, count_cells(visual, pictured, before.looks))

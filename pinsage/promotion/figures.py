"""The figures of a version, written down as its tags when it is registered: what a later challenger is compared with.

They outlive the artifacts of the run, which may be pruned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DATA_TAG = "pinsage.data_key"
SCORE_TAG = "pinsage.validation."
COUNT_TAG = "pinsage.catalog."


@dataclass(frozen=True)
class Figures:
    """The figures of a version.

    Attributes:
        data_key: of the catalog that they were measured on.
        scores: metrics on all validation pairs, by MLflow's name.
        counts: of the catalog, by the names of `pinsage.promotion.checks.CATALOG`.
    """

    data_key: str
    scores: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def tags(self) -> dict[str, str]:
        """The figures as tags."""
        return {
            DATA_TAG: self.data_key,
            **{f"{SCORE_TAG}{name}": repr(value) for name, value in self.scores.items()},
            **{f"{COUNT_TAG}{name}": str(count) for name, count in self.counts.items()},
        }

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Figures":
        """The figures among the tags of a version; those that it has not are left out."""
        scores = {
            name.removeprefix(SCORE_TAG): float(text) for name, text in tags.items() if name.startswith(SCORE_TAG)
        }
        counts = {name.removeprefix(COUNT_TAG): int(text) for name, text in tags.items() if name.startswith(COUNT_TAG)}
        return cls(tags.get(DATA_TAG, ""), scores, counts)

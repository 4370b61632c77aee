"""The checks of a challenger: each figure measured from the artifacts of the run and of the champion."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError, InputError
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.gains import Gain, hit_rate_gains
from pinsage.evaluation.names import ALL, deciding_rank
from pinsage.evaluation.slices import COLD
from pinsage.evaluation.views import split_views
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.promotion.canaries import failures, read_canaries
from pinsage.promotion.checks import (
    Check,
    canary_check,
    catalog_checks,
    churn_check,
    finite_check,
    gain_check,
    not_compared,
    recall_check,
    recorded_gain_check,
    spread_check,
)
from pinsage.promotion.embeddings import num_not_finite, spread
from pinsage.promotion.figures import Figures
from pinsage.release.candidate import Candidate
from pinsage.release.contents import EMBEDDINGS, POPULARITY, ModelVersion
from pinsage.release.difference import Related, kept_neighbors
from pinsage.release.releases import Releases
from pinsage.settings.live import PromoteSettings
from pinsage.store.arrays import open_array
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.run import Run
from pinsage.tracking.names import deciding_metric
from pinsage.tracking.registry import Version
from tasks.promoting.rescoring import embed_again, run_of
from tasks.running.work import StageWork

log = logging.getLogger(__name__)
VALIDATION, COLD_START = "validation", "cold_start"
# A champion that cannot be asked, for good: anything else may pass, and the stage is tried again.
_GONE = (InputError, ArtifactMissingError, ArtifactDamagedError)


@dataclass(frozen=True)
class Evidence:
    """The artifacts of a run, looked at for the checks of its model."""

    work: StageWork
    model_name: str
    figures: Figures

    def checks(self, champion: Version | None) -> list[Check]:
        """Every check of the model; without a champion those that need none.

        Raises:
            PinSageError: the champion could not be scored again, for a reason that may pass.
        """
        found = list(self._of_itself())
        if champion:
            found += [*self._gains(champion, found), self._churn(champion)]
            before = Figures.of(champion.tags).counts
            found += catalog_checks(self.figures.counts, before, self._limits.min_catalog_share)
        return found

    def _of_itself(self) -> Iterator[Check]:
        embeddings, num_bad = self._embeddings, num_not_finite(self._embeddings)
        yield finite_check(num_bad, len(embeddings))
        yield spread_check(0.0 if num_bad else spread(embeddings), self._limits.min_spread)
        recall = Manifest.read(self.work.inputs["index"]).facts.get("recall_at_10")
        yield recall_check(float(recall) if isinstance(recall, int | float) else None, self._limits.min_recall)
        if self._limits.canaries:
            yield self._canaries()

    def _canaries(self) -> Check:
        try:
            canaries = read_canaries(self._limits.canaries)
        except InputError as error:  # at the end of a long run: it is refused, not lost
            return Check("canaries", False, str(error))
        return canary_check(len(canaries), failures(canaries, self._candidate))

    def _gains(self, champion: Version, of_itself: list[Check]) -> list[Check]:
        limits = {VALIDATION: self._limits.min_gain, COLD_START: self._limits.min_cold_gain}
        try:
            if any(check.name == "finite" and not check.passed for check in of_itself):
                raise InputError("Embeddings that are not finite cannot be ranked.")
            gains = self._measured_gains(embed_again(run_of(champion, self.work.home), self._run, self.work.home))
        except _GONE as error:
            log.warning("promote: champion %d is not scored again: %s", champion.number, error)
            return self._recorded_gains(champion, limits, str(error))
        against = f"champion {champion.number}, scored again on the pins and saves of today"
        return [
            gain_check(name, gains[part], limits[name], against)
            if part in gains
            else not_compared(name, "no validation pair is of that kind")
            for name, part in ((VALIDATION, ALL), (COLD_START, COLD))
        ]

    def _measured_gains(self, theirs: Path) -> dict[str, Gain]:
        settings, pairs = self.work.settings.evaluate, self.work.inputs["pair"]
        held_out, train = HeldOutPairs.read(pairs / "validation.parquet"), Pairs.read(pairs / "train.parquet")
        split = split_views("validation", held_out, train, self._graph, settings)
        if split.num_pairs == 0:
            return {}
        ours, other = (self._scorer(folder) for folder in (self.work.inputs["embed"], theirs))
        rank = deciding_rank(settings.ranks)
        return hit_rate_gains(ours, other, split, self._graph, rank=rank, seed=settings.seed)

    def _recorded_gains(self, champion: Version, limits: dict[str, float], error: str) -> list[Check]:
        metric, before = deciding_metric(self.work.settings.evaluate.ranks), Figures.of(champion.tags)
        why = f"Champion {champion.number} was not scored on the data of today, because: {error.rstrip('.')}"
        names = {VALIDATION: metric, COLD_START: f"cold_{metric}"}
        return [
            recorded_gain_check(name, self.figures.scores.get(score), before.scores.get(score), limits[name], why)
            for name, score in names.items()
        ]

    def _churn(self, champion: Version) -> Check:
        try:
            kept = kept_neighbors(self._answers_of(champion), self._candidate, saves=self._graph.pin_degrees)
        except _GONE as error:
            return not_compared("churn", str(error).rstrip("."))
        return churn_check(None if kept is None else 1 - kept, self._limits.max_churn)

    def _answers_of(self, champion: Version) -> Related:
        """The champion as it answers: its newest release, else the artifacts of its run."""
        store = open_store(self.work.home)
        releases = Releases(store)
        if version := releases.find(ModelVersion(self.model_name, champion.number)):
            return releases.open(version)
        run = run_of(champion, self.work.home)
        return Candidate(
            {name: store.artifacts.folder(name, run.result(name).key) for name in ("ingest", "embed", "index")}
        )

    def _scorer(self, embedded: Path) -> Similarity:
        num_pins = self._graph.num_pins
        popularity = open_array(embedded / POPULARITY, np.float32, (num_pins,))
        embeddings = open_array(embedded / EMBEDDINGS, np.float32, (num_pins, None))
        return Similarity(embeddings, popularity, pin_degrees=self._graph.pin_degrees)

    @property
    def _limits(self) -> PromoteSettings:
        return self.work.settings.promote

    @cached_property
    def _run(self) -> Run:
        return open_store(self.work.home).runs.open(self.work.run_id)

    @cached_property
    def _graph(self) -> BipartiteGraph:
        return BipartiteGraph.open(self.work.inputs["connect"])

    @cached_property
    def _candidate(self) -> Candidate:
        return Candidate(self.work.inputs)

    @cached_property
    def _embeddings(self) -> NDArray[np.float32]:
        return open_array(self.work.inputs["embed"] / EMBEDDINGS, np.float32, (None, None))

"""Decisions on paper: written to the table in the store, read back, and followed by MLflow's tags and alias."""

from collections.abc import Sequence
from pathlib import Path

from pinsage.promotion.decisions import DECISIONS, Decision, Decisions
from pinsage.promotion.verdict import decision_tags
from pinsage.release.contents import ModelVersion
from pinsage.store.deployment import open_store
from pinsage.tracking.registry import CHAMPION, Registry, Version


def open_decisions(home: Path) -> Decisions:
    """The decisions of the deployment whose host has the data folder `home`."""
    return Decisions(open_store(home).bucket(DECISIONS))


def last_decision(model: ModelVersion, history: Sequence[Decision]) -> Decision | None:
    """The newest decision on a version; None if there is none."""
    return next((decision for decision in reversed(history) if decision.version == model.number), None)


def follow(decision: Decision, version: Version, registry: Registry, decisions: Decisions) -> Decision:
    """Write a recorded decision to MLflow, and let the alias `champion` follow it."""
    # First the reason, then the alias: whoever sees a new champion can read why.
    registry.tag(version, decision_tags(decision))
    if decision.promotes:
        registry.point(CHAMPION, version)
        # A host that slept since it decided is late: MLflow cannot compare, so the alias is looked after once more.
        newest = next(each for each in reversed(decisions.history(decision.model)) if each.promotes)
        if newest.version != version.number and (later := registry.version(newest.version)):
            registry.point(CHAMPION, later)
    return decision

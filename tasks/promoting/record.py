"""Decisions on paper: written to the table in the store, read back, and followed by MLflow's tags and alias."""

from pathlib import Path

from pinsage.promotion.decisions import DECISIONS, Decision, Decisions
from pinsage.promotion.verdict import decision_tags
from pinsage.release.contents import ModelVersion
from pinsage.store.deployment import open_store
from pinsage.tracking.registry import CHAMPION, Registry, Version


def open_decisions(home: Path) -> Decisions:
    """The decisions of the deployment whose host has the data folder `home`."""
    return Decisions(open_store(home).bucket(DECISIONS))


def last_decision(model: ModelVersion, home: Path) -> Decision | None:
    """The newest decision on a version; None if there is none."""
    found = [decision for decision in open_decisions(home).history(model.name) if decision.version == model.number]
    return found[-1] if found else None


def follow(decision: Decision, version: Version, registry: Registry) -> Decision:
    """Write a recorded decision to MLflow, and let the alias `champion` follow it."""
    # First the reason, then the alias: whoever sees a new champion can read why.
    registry.tag(version, decision_tags(decision))
    if decision.promotes:
        registry.point(CHAMPION, version)
    return decision

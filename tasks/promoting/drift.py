"""The drift of a run, told to MLflow, and what it may stop."""

import logging
from pathlib import Path

from pinsage.drift.measures import Measure, unusual, worst
from pinsage.drift.table import read_measures
from pinsage.errors import InputError
from pinsage.promotion.decisions import Decision
from pinsage.promotion.figures import Figures
from pinsage.settings.schema import Settings
from pinsage.store.run import Run
from pinsage.tracking.days import day_of, days_server, log_day
from pinsage.tracking.names import deciding_metric, registered_model
from pinsage.tracking.registry import Registry
from pinsage.tracking.tracker import Tracker

log = logging.getLogger(__name__)
DRIFT = "drift"
DRIFT_TAG, DECAY_TAG = "pinsage.drift", "pinsage.drift.decay"


def tell_drift(compared: Path, run: Run, tracker: Tracker) -> None:
    """Send the measures of a run to its MLflow run and to the curves over days, with the verdict as a tag.

    Args:
        compared: the artifact of compare_days.
        run: its record.
        tracker: of the run, begun.

    Raises:
        InputError: a measure is beyond a limit that stops; everything was sent before.
        TrackingError: MLflow does not answer or refuses.
    """
    measures = read_measures(compared)
    _send(_metrics(measures), run, tracker)
    tracker.tag({DRIFT_TAG: ". ".join([worst(measures), *unusual(measures, "warning", "stop")])})
    if stops := unusual(measures, "stop"):
        raise InputError(
            f"Drift stops the run before its model can go live. {' '.join(stops)} Correct the tables, or raise the "
            "setting where they are right; the report shows every measure."
        )


def tell_decay(decision: Decision, registry: Registry, run: Run, tracker: Tracker) -> str:
    """Send the hit rate that the old champion has on the pairs of today, as the gate measured it.

    Returns:
        a sentence if the champion has lost more of the hit rate of its training than `drift.warn_decay`; else empty.

    Raises:
        TrackingError: MLflow does not answer or refuses.
    """
    now = next((check.theirs for check in decision.checks if check.name == "validation"), None)
    champion = registry.version(decision.champion) if now is not None and decision.champion else None
    if now is None or champion is None:
        return ""
    metrics, sentence = {f"{DRIFT}/champion_hit_rate": now}, ""
    if trained := Figures.of(champion.tags).scores.get(deciding_metric(run.settings.evaluate.ranks)):
        metrics[f"{DRIFT}/champion_decay"] = decay = 1 - now / trained
        sentence = _sentence(champion.number, now, trained, run.settings) if decay > _limit(run.settings) else ""
    _send(metrics, run, tracker)
    if sentence:
        log.warning("drift: %s", sentence)
        tracker.tag({DECAY_TAG: sentence})
    return sentence


def _metrics(measures: list[Measure]) -> dict[str, float]:
    """The changes by name, those since the champion's run and the figures of today below them."""
    parts = {DRIFT: "change", f"{DRIFT}/champion": "champion_change", f"{DRIFT}/today": "today"}
    values = {f"{part}/{each.name}": getattr(each, field) for part, field in parts.items() for each in measures}
    return {name: value for name, value in values.items() if value is not None}


def _send(metrics: dict[str, float], run: Run, tracker: Tracker) -> None:
    tracker.log_results(metrics)
    tracker.flush()
    as_of = str(run.result("ingest").facts.get("as_of") or "")
    server = days_server(run.settings.tracking, tracker.home)
    log_day(server, registered_model(run.settings), day_of(as_of, run.started_at), metrics)


def _limit(settings: Settings) -> float:
    return settings.drift.warn_decay or 1.0  # nothing loses more than all


def _sentence(number: int, now: float, trained: float, settings: Settings) -> str:
    return (
        f"Champion {number} has a hit rate of {now:.4f} on the pairs of today, against {trained:.4f} when it was "
        f"trained: it lost {1 - now / trained:.1%}, where {settings.drift.warn_decay:g} may be (drift.warn_decay)."
    )

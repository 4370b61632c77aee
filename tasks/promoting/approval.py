"""A person's answer on a version that passed its checks: recorded, then followed by the alias `champion`."""

from pathlib import Path

from pinsage.errors import InputError
from pinsage.promotion.decisions import Decision, Decisions
from pinsage.promotion.verdict import answer_to
from pinsage.release.contents import ModelVersion
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.tracking.registry import Registry
from pinsage.tracking.server import Server
from tasks.promoting.record import follow, last_decision, open_decisions


def answer(model: ModelVersion, registry: Registry, home: Path, *, approves: bool, by: str, note: str = "") -> Decision:
    """Approve or reject a version that waits. The same answer again changes nothing.

    Args:
        model: the version.
        registry: of its registered model.
        home: data folder of the pipeline.
        approves: the answer.
        by: who gave it; empty if nobody did in time, which changes nothing where somebody has answered elsewhere.
        note: the words of that person, which are recorded.

    Raises:
        InputError: the version does not wait, or another one became champion since it was checked.
        DecisionMovedError: another host decided in the meantime.
        TrackingError: MLflow does not answer or refuses.
    """
    with registry.server.one_at_a_time():
        decisions = open_decisions(home)
        history = decisions.history(model.name)
        version, last = registry.version(model.number), last_decision(model, history)
        if version is None or last is None:
            raise InputError(f"There is no {model}, or nothing was decided on it. See `pinsage champion history`.")
        if last.kind == "waiting":
            _check_champion(model, registry, last, approves=approves)
            last = decisions.record(answer_to(last, approves=approves, by=by, note=note), history)
        elif by and last.kind != ("approved" if approves else "rejected"):
            raise InputError(
                f"{model} does not wait for an approval: {last.reason} `pinsage champion why {model.number}` says more."
            )
        # A task that runs again moves no alias that somebody has moved since.
        return follow(last, version, registry, decisions) if _is_newest(last, decisions) else last


def answer_for(run_id: str, home: Path, *, approves: bool, by: str, note: str = "") -> Decision:
    """Answer for the version that the stage promote of a run left waiting; raises as `answer`."""
    run = open_store(home).runs.open(run_id)
    model = promoted_model(run)
    return answer(
        model, Registry(Server(run.settings.tracking, home), model.name), home, approves=approves, by=by, note=note
    )


def promoted_model(run: Run) -> ModelVersion:
    """The version that the stage promote of a run registered; earlier code named no model, which was `pinsage`."""
    facts = run.result("promote").facts
    return ModelVersion(str(facts.get("model_name", "pinsage")), int(facts["model_version"] or 0))


def _check_champion(model: ModelVersion, registry: Registry, waiting: Decision, *, approves: bool) -> None:
    champion = registry.champion()
    number = champion.number if champion else None
    if approves and number != waiting.champion:
        raise InputError(
            f"{model} was checked against {_named(waiting.champion)}, and now there is {_named(number)}. "
            "Run its stage promote again (clear that task in Airflow), which checks it and asks anew."
        )


def _named(champion: int | None) -> str:
    return "no champion" if champion is None else f"champion {champion}"


def _is_newest(decision: Decision, decisions: Decisions) -> bool:
    """Return whether no later decision made a version champion."""
    history = decisions.history(decision.model)
    return not any(later.promotes for later in history[history.index(decision) + 1 :])

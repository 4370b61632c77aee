"""Report whether the model may go live: the answer of a person, where the settings want one."""

import logging

from pinsage.promotion.decisions import Decision
from pinsage.promotion.question import question
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts
from pinsage.store.run import Run
from tasks.promoting.approval import promoted_model
from tasks.promoting.record import last_decision, open_decisions
from tasks.running.work import StageWork

log = logging.getLogger(__name__)
NOBODY = "nobody is asked"


def approve(work: StageWork) -> Facts:
    """Report what was answered on the model that the stage promote left waiting; it asks nobody itself.

    Returns:
        model_name, model_version, is_champion, answer ("nobody is asked", "waiting", "approved", "rejected", or a
        later decision), by, reason, and question (Markdown; empty unless the model waits).
    """
    store = open_store(work.home)
    run = store.runs.open(work.run_id)
    model, promoted = promoted_model(run), run.result("promote").facts
    history = open_decisions(work.home).history(model.name) if promoted.get("is_waiting") else []
    decision = last_decision(model, history)
    if decision is None:
        answered: Facts = {"is_champion": promoted["is_champion"], "answer": NOBODY, "by": "", "question": ""}
        return {"model_name": model.name, "model_version": model.number, **answered, "reason": promoted["reason"]}
    log.info("approve: %s, %s", model, decision.reason)
    return {
        "model_name": model.name,
        "model_version": model.number,
        "is_champion": decision.promotes,
        "answer": decision.kind,
        "by": decision.by,
        "reason": decision.reason,
        "question": _question(decision, store, run),
    }


def _question(decision: Decision, store: Store, run: Run) -> str:
    if decision.kind != "waiting":
        return ""
    pages = ""
    if url := str(run.result("promote").facts["mlflow_url"] or ""):
        pages = f"Its report and its explorer are artifacts of its [run in MLflow]({url}). "
    if not store.is_remote:
        folder = store.artifacts.folder("report", run.result("report").key)
        pages += f"On the host of the stages its report is `{folder}/report.html`, with `explorer.html` beside it."
    return question(decision, pages.strip())

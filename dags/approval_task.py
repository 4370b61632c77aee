"""The task that asks a person whether a new model may go live, in runs whose settings want that."""

import json
import time
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from stage_task import HOME, ProcessTask, documentation, origin_of, settings_of

from tasks.running.launch import StageCommand, StageFailedError
from tasks.stages import STAGES

APPROVE, REJECT = "Approve", "Reject"
STAGE, NOTE = "approve", "note"
TRIES, PAUSE_S = 20, 30.0  # ten minutes: nobody is asked again because MLflow is away
_DOC = """
* Without `promote.require_approval`, and for a model that a check refused, nobody is asked and the task ends at once.
* With it, it waits as *awaiting input*, without a process; *Required Actions* of the run shows the checks and the form.
* No answer within `promote.approval_hours` is a rejection. A rejected model is not released, and the run ends well.
"""


class ApprovalTask(HITLOperator, ProcessTask):
    """A question that waits for its answer without a process, and a process that records it."""

    def __init__(self, **kwargs: Any) -> None:
        note = Param("", type=["string", "null"], title="Note", description="Why; it is recorded with the answer.")
        super().__init__(
            task_id=STAGE,
            subject="May the new model go live?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=timedelta(hours=20),  # as in the settings, which each run reads
            execution_timeout=timedelta(hours=2),  # of either process, not of the wait between them
            doc_md=documentation(STAGES[STAGE]) + _DOC,
            **{**kwargs, "params": {NOTE: note}},  # Airflow adds those of the DAG, here and once more above
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """The report of the stage if nobody is to be asked, or somebody has answered already; else ask."""
        report = self.perform(_command(context))
        facts = report["facts"]
        if facts["answer"] != "waiting":
            return report
        self.subject = f"May version {facts['model_version']} of {facts['model_name']} go live?"
        # Facts that are too long for an XCom are left out, see `tasks.running.launch`.
        self.body = facts.get("question") or f"`pinsage champion why {facts['model_version']}` shows its checks."
        self.response_timeout = timedelta(hours=settings_of(context)["promote.approval_hours"])
        super().execute(context)
        raise AssertionError("Airflow went on although the task waits.")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Record the answer; the report of the stage with it."""
        answered = super().execute_complete(context, event)
        user = answered["responded_by_user"]
        answer = {
            "approves": answered["chosen_options"] == [APPROVE],
            "by": (user.get("name") or user["id"]) if user else "",
            "note": (answered["params_input"] or {}).get(NOTE) or "",
        }
        return self._patiently(_command(context, {"--answer": json.dumps(answer)}))

    def _patiently(self, command: StageCommand) -> dict[str, Any]:
        for left in reversed(range(TRIES)):
            try:
                return self.perform(command)
            except StageFailedError as error:
                if not left:
                    raise
                self.log.warning("%s The answer is recorded again in %.0f s.", error, PAUSE_S)
                time.sleep(PAUSE_S)
        raise AssertionError


def _command(context: Context, more: dict[str, str] | None = None) -> StageCommand:
    return StageCommand(STAGE, context["run_id"], HOME, settings_of(context), origin_of(context), more=more or {})

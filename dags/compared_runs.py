"""The tasks of a comparison, and the part of its trigger form that says what is compared."""

import json
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowFailException
from stage_task import HOME, ProcessTask, origin_of, settings_of

from pinsage.errors import SettingsError
from tasks.comparing.plan import LADDERS, Comparison, PlannedRun, planned_runs
from tasks.running.launch import StageCommand

PREFIX = "comparison."


def comparison_form() -> dict[str, Param]:
    """The Params that say which variants are compared, from which seeds."""
    ladders = "; ".join(f"{name}: {', '.join(variants)}" for name, variants in LADDERS.items())
    return {
        f"{PREFIX}ladder": Param(
            "levers",
            type=["string", "null"],
            enum=[*LADDERS, None],
            title="Ladder",
            description="Variants that come with PinSage; empty: your own alone. The first one is what the others are "
            f"compared with. {ladders}.",
        ),
        f"{PREFIX}variants": Param(
            {},
            type=["object", "null"],
            title="Variants of your own",
            description='Settings by name, e.g. {"wide": {"model.hidden_dim": 512}}.',
        ),
        f"{PREFIX}seeds": Param(
            [0, 1, 2],
            type="array",
            items={"type": "integer", "minimum": 0},
            minItems=1,
            title="Seeds",
            description="Of the training and the walks; three or more show how much luck is in a training.",
        ),
    }


class PlanTask(BaseOperator):
    """Check what is asked before anything runs; the planned runs go to XCom."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """The planned runs.

        Raises:
            AirflowFailException: a variant is no setting or there twice, or there are none.
        """
        try:
            found = planned_runs(context["run_id"], Comparison(**_asked(context)), settings_of(context))
        except SettingsError as error:
            raise AirflowFailException(str(error)) from None
        self.log.info("%d runs: %s", len(found), "; ".join(run.label for run in found))
        return [asdict(run) for run in found]


class ComparedRun(ProcessTask):
    """One run of a comparison up to its evaluation, in one process; what was made before is reused."""

    def __init__(self, *, planned: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def execute(self, context: Context) -> dict[str, Any]:
        """The report: where MLflow shows it."""
        planned = PlannedRun(**self.planned)
        context["label"] = planned.label  # type: ignore[typeddict-unknown-key]  # what the map index is called
        origin = planned.origin(context["run_id"], origin_of(context))
        settings = {**settings_of(context), **planned.overrides}
        return self.perform(StageCommand("variant", planned.run_id, HOME, settings, origin))


class SummaryTask(ProcessTask):
    """The runs side by side, in the log and on the MLflow run of the comparison."""

    def execute(self, context: Context) -> dict[str, Any]:
        """The report: how many runs, which are missing, the sentence that says it."""
        more = {"--comparison": json.dumps(_asked(context))}
        return self.perform(StageCommand("summarize", context["run_id"], HOME, settings_of(context), more=more))


def _asked(context: Context) -> dict[str, Any]:
    params = dict(context["params"])
    found = {name.removeprefix(PREFIX): value for name, value in params.items() if name.startswith(PREFIX)}
    return {"ladder": found["ladder"] or "", "variants": found["variants"] or {}, "seeds": found["seeds"]}

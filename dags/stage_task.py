"""A stage as an Airflow task, and what happens when a run of stages fails."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from telemetry import openlineage, send_facts
from trigger_form import chosen

from tasks.running.launch import StageCommand, StageFailedError, StageProcess, record_failure
from tasks.running.log_lines import read_line
from tasks.stages import REFRESH_STAGES, STAGES, Stage

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

HOME = Path(os.environ.get("PINSAGE_HOME") or Path(__file__).parents[1] / "var").absolute()


class ProcessTask(BaseOperator):
    """A task that runs subprocesses: their lines go to its log, SIGTERM is passed on."""

    ui_color = "#f3e9e3"
    _process: StageProcess | None = None

    def perform(self, command: StageCommand) -> dict[str, Any]:
        """The report of one process: stage, key, seconds, reused, facts.

        Raises:
            AirflowFailException: the input or the settings cannot be used, so that no retry is tried.
            StageFailedError: it failed in a way that may pass.
        """
        self._process = StageProcess(command)
        try:
            return self._process.run(self._log_line)
        except StageFailedError as error:
            if error.retry_can_help:
                raise
            raise AirflowFailException(str(error)) from None

    def on_kill(self) -> None:
        """Pass the request to end on to the process."""
        if self._process:
            self._process.stop()

    def _log_line(self, line: str) -> None:
        level, text, fields = read_line(line)
        self.log.log(level, "%s", text, **fields)


class StageTask(ProcessTask):
    """A stage of the run; its report goes to XCom."""

    def __init__(
        self,
        *,
        stage: str,
        publishes: Sequence[Asset] = (),
        limit: timedelta = timedelta(hours=2),
        refresh: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_id=stage,
            doc_md=documentation((REFRESH_STAGES if refresh else STAGES)[stage]),
            outlets=list(publishes),
            execution_timeout=limit,
            **kwargs,
        )
        self.stage, self.refresh = stage, refresh

    def execute(self, context: Context) -> dict[str, Any]:
        """The stage's report."""
        settings, origin = settings_of(context), origin_of(context)
        report = self.perform(StageCommand(self.stage, context["run_id"], HOME, settings, origin, refresh=self.refresh))
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"run_id": context["run_id"], "key": report["key"]}
        send_facts(report, context["dag"].dag_id)
        return report

    def get_openlineage_facets_on_complete(self, task_instance: "RuntimeTaskInstanceProtocol") -> "OperatorLineage":
        """Return what the stage read and made. Airflow's OpenLineage provider calls this where it is set up."""
        return openlineage(self.stage, task_instance.run_id, HOME)


def tasks_before_training(publishes: Sequence[Asset] = ()) -> tuple[StageTask, list[StageTask]]:
    """The stages from the tables to features and neighborhoods, joined, in the DAG that is being drawn.

    Args:
        publishes: the assets that `ingest` updates.

    Returns:
        the task that has to run first, and those that a training waits for.
    """
    ingest = StageTask(stage="ingest", publishes=publishes)
    pair = StageTask(stage="pair")
    connect = StageTask(stage="connect")
    featurize_text = StageTask(stage="featurize_text")
    featurize_visual = StageTask(stage="featurize_visual", limit=timedelta(hours=12))
    featurize_saves = StageTask(stage="featurize_saves")
    walk = StageTask(stage="walk", limit=timedelta(hours=6))

    ingest >> [pair, featurize_text, featurize_visual]
    pair >> connect >> [featurize_saves, walk]
    return ingest, [walk, featurize_saves, featurize_text, featurize_visual]


def documentation(stage: Stage) -> str:
    """The stage's purpose, inputs and settings, as Markdown for the task's page."""
    reads = ", ".join(f"`{name}`" for name in stage.inputs) or "the data set"
    if stage.fitted:
        reads += f"; of the run that trained the model: {', '.join(f'`{name}`' for name in stage.fitted)}"
    if stage.sees_champion:
        reads += "; the release that the run would replace"
    settings = ", ".join(f"`{name}.*`" for name in stage.sections) or "none of its own"
    result = "Publishes an artifact named by what made it; made already, it is reused."
    effect = "Acts on the model registry or the releases, and may be repeated without harm."
    module = stage.function.partition(":")[0].replace(".", "/")
    return (
        f"**{stage.summary}**\n\n* Reads: {reads}\n* Settings that decide its result: {settings}\n"
        f"* {result if stage.has_artifact else effect}\n* Code: `{module}.py`, version {stage.version}\n"
    )


def fail_experiment(context: Context) -> None:
    """End the MLflow run of a failed DAG run: whatever killed the task may have left it running."""
    record_failure(context["run_id"], HOME, str(context.get("reason") or "the DAG run failed"))


def settings_of(context: Context) -> dict[str, Any]:
    """The flat settings that a DAG run asks for."""
    dag_run, settings = context["dag_run"], chosen(dict(context["params"]))
    if dag_run.run_type.value in ("scheduled", "backfill") and "data.as_of" not in settings:
        settings["data.as_of"] = dag_run.data_interval_end.isoformat()
    return settings


def origin_of(context: Context) -> dict[str, str]:
    """The DAG, what triggered it, and the page of the DAG run."""
    return {
        "dag_id": context["dag"].dag_id,
        "triggered_by": context["dag_run"].run_type.value,
        "airflow_url": str(context["ti"].log_url).partition("/tasks/")[0],
    }

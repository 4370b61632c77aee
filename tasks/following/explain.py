"""The reason of a failed run in words: the end of the log of the stage that failed."""

from collections.abc import Mapping

from rich.console import Console

from tasks.following.airflow_api import AirflowApi
from tasks.following.live import Row

LOG_LINES = 15


def explain(api: AirflowApi, run_id: str, rows: Mapping[str, Row], console: Console) -> None:
    """Print the last lines of the stage that failed, its error, and where its whole log is."""
    failed = next((row.task for row in rows.values() if row.task.state == "failed"), None)
    if not failed:
        _say(console, f"the run was ended from outside: {api.run_page(run_id)}")
        return
    log = api.stage_log(run_id, failed)
    for line in log.lines[-LOG_LINES:]:
        _say(console, f"  | {line}")
    _say(console, f"The stage '{failed.name}' failed. {log.reason}", style="bold red")
    _say(console, f"its whole log: {api.run_page(run_id)}/tasks/{failed.name}")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

"""Notices to people: a stage that failed, a daily run that is late.

`PINSAGE_NOTIFY` says where they go: addresses of Apprise with spaces between them, for Slack, mail, a web hook and a
hundred others. Without it nobody is told, and Airflow's pages show the same.
"""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Context, DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk.configuration import conf

from pinsage.errors import PinSageError, SettingsError

if TYPE_CHECKING:
    from apprise import NotifyBase

NOTIFY, LATE_HOURS = "PINSAGE_NOTIFY", "PINSAGE_LATE_HOURS"
TOLD = "told"  # the XCom of a task whose failure has been told
_NO_REASON = "its process ended without a word: it was killed, or its machine was lost"


class NoticeError(PinSageError):
    """A notice could not be delivered."""


def tell_failure(context: Context) -> None:
    """Tell people which stage of which run failed for good, why, and where its log is."""
    task = context["ti"]
    reason = context.get("exception") or _NO_REASON
    is_told = send(
        f"{task.dag_id}: {task.task_id} failed",
        f"Run: {task.run_id}\nStage: {task.task_id}, attempt {task.try_number}\nReason: {reason}\nLog: {task.log_url}",
    )
    if is_told:
        task.xcom_push(key=TOLD, value=True)


def tell_lost_failure(context: Context) -> None:
    """Tell people of a failed run whose task could not: Airflow calls nothing for a task that was killed but this.

    A notice that nobody took is sent again.
    """
    task = context["ti"]
    if not task.xcom_pull(task_ids=task.task_id, key=TOLD, map_indexes=task.map_index):
        tell_failure({"ti": task})


def tell_lateness(context: Mapping[str, Any]) -> None:
    """Tell people that a run has not ended in time, and where its page is. Of one that failed they know already.

    Args:
        context: what Airflow says to the callback of a deadline: `dag_run` as in its REST API, and `deadline`.
    """
    run = context["dag_run"]
    if run["state"] == "failed":
        return
    pages = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    send(
        f"{run['dag_id']}: a run is late",
        f"Run: {run['dag_run_id']}\nState: {run['state']}, queued at {_minute(run['queued_at'])}\n"
        f"It should have ended by {_minute(context['deadline']['deadline_time'])} ({LATE_HOURS}).\n"
        f"Page: {pages}/dags/{run['dag_id']}/runs/{quote(run['dag_run_id'])}",
    )


def late_after(default_hours: float) -> DeadlineAlert:
    """The alert for runs that have not ended so many hours after they were queued.

    PINSAGE_LATE_HOURS takes the place of `default_hours`. Its callback runs on the executor: a deployment on one
    machine has no triggerer.

    Raises:
        SettingsError: PINSAGE_LATE_HOURS is no number of hours.
    """
    text = os.environ.get(LATE_HOURS) or str(default_hours)
    try:
        interval = timedelta(hours=float(text))
    except (ValueError, OverflowError):
        interval = timedelta(0)
    if interval <= timedelta(0):
        raise SettingsError(f"{LATE_HOURS} is '{text}', not a number of hours. Give e.g. {default_hours:g}.")
    # From when it was queued: a run that somebody triggers has no logical date.
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, interval, SyncCallback(tell_lateness))


def send(title: str, body: str) -> bool:
    """Send a notice to every address of PINSAGE_NOTIFY; False if there is none.

    Raises:
        NoticeError: one of them is none that Apprise knows, or did not take it; the others have it.
    """
    addresses = os.environ.get(NOTIFY, "").split()
    if not addresses:
        return False
    import apprise

    how = {"notify_type": apprise.NotifyType.WARNING, "body_format": apprise.NotifyFormat.TEXT}
    refusals = []
    for number, address in enumerate(addresses, start=1):
        service = _service(address)
        if service is None:
            refusals.append(f"Apprise knows no service of address {number}")
        elif not service.notify(title=title, body=body, **how):
            refusals.append(f"address {number} did not take it, for the reason in the lines above")
    if refusals:
        raise NoticeError(f"{NOTIFY}, notice '{title}': {'; '.join(refusals)}. Correct that address.")
    return True


def _service(address: str) -> "NotifyBase | None":
    """The service of an address, or None. Apprise would log one that it does not understand, with its password."""
    from apprise import Apprise

    log = logging.getLogger("apprise")
    log.disabled = True
    try:
        return Apprise.instantiate(address)
    finally:
        log.disabled = False


def _minute(instant: datetime | str) -> str:
    return f"{datetime.fromisoformat(str(instant)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"

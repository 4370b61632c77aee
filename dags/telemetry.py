"""Telemetry of a stage: its facts as metrics, and its lineage. Both go where Airflow's own go.

Airflow's settings say where to: `[metrics]` for StatsD or OpenTelemetry, `[openlineage]` for lineage. Without them
nothing is sent.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

FILES, MODELS = "file", "mlflow"  # namespaces of what lies behind no URL


def send_facts(report: Mapping[str, Any], dag_id: str) -> None:
    """Send the numbers in a stage's report as gauges `pinsage.<stage>.<fact>`, with the tag `dag_id`.

    Beside the facts there are `seconds`, and `reused`, which is 1 if the artifact was there before.
    """
    facts = {**report.get("facts", {}), "seconds": report["seconds"], "reused": report["reused"]}
    for name, value in facts.items():
        if isinstance(value, (bool, int, float)):
            stats.gauge(f"pinsage.{report['stage']}.{name}", float(value), tags={"dag_id": dag_id})


def openlineage(stage: str, run_id: str, home: Path) -> "OperatorLineage":
    """Return what a stage of a run read and made, as OpenLineage names it.

    Raises:
        RunRecordError: there is no such run, or its record is damaged.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    from tasks.running.lineage import lineage

    found = lineage(stage, run_id, home)
    return OperatorLineage(
        inputs=[_dataset(place) for place in found.inputs], outputs=[_dataset(place) for place in found.outputs]
    )


def _dataset(place: str) -> "Dataset":
    """Name a folder, URL or model as a data set: https://openlineage.io/docs/spec/naming."""
    from openlineage.client.event_v2 import Dataset

    if place.startswith("models:/"):
        return Dataset(namespace=MODELS, name=place)
    url = urlsplit(place)
    if url.scheme and url.netloc:
        return Dataset(namespace=f"{url.scheme}://{url.netloc}", name=url.path.lstrip("/"))
    return Dataset(namespace=FILES, name=url.path)

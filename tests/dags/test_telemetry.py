"""Telemetry of a stage: its numbers reach a collector of OpenTelemetry, its places are named as OpenLineage does."""

import atexit
from types import SimpleNamespace

import pytest
from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.otel_logger import get_otel_logger
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from airflow.utils.state import TaskInstanceState
from openlineage.client.event_v2 import Dataset
from opentelemetry import metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from telemetry import openlineage, send_facts
from web_hook import web_hook

from pinsage.settings.loading import load_settings
from pinsage.store.deployment import STORE, open_store
from pinsage.store.run import StageResult

FACTS = {"hit_rate_at_10": 0.25, "pins": 600, "is_champion": True, "methods": "pinsage pixie", "overlap": None}


@pytest.fixture
def collector(monkeypatch):
    """A collector to which Airflow's metrics go, as in a task."""
    with web_hook() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"http://{server.place}/v1/metrics")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        stats.initialize(factory=get_otel_logger, export_legacy_names=False)
        yield server
        metrics.get_meter_provider().shutdown()
    atexit.unregister(flush_otel_metrics)
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)


def gauges(collector) -> dict[str, tuple[float, dict[str, str]]]:
    """The value and the tags of each gauge that was received."""
    metrics.get_meter_provider().force_flush()
    return {
        metric.name: (point.as_double, {tag.key: tag.value.string_value for tag in point.attributes})
        for body in collector.bodies
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.gauge.data_points
    }


def test_the_numbers_of_a_report_are_gauges(collector):
    """Words and what is not known are left out."""
    send_facts({"stage": "evaluate", "seconds": 2.5, "reused": False, "facts": FACTS}, "train_pinsage")
    told = gauges(collector)
    assert {name.removeprefix("airflow.pinsage.evaluate."): value for name, (value, _) in told.items()} == {
        "hit_rate_at_10": 0.25,
        "pins": 600.0,
        "is_champion": 1.0,
        "seconds": 2.5,
        "reused": 0.0,
    }
    assert all(tags == {"dag_id": "train_pinsage"} for _, tags in told.values())


def test_places_are_named_as_openlineage_names_them(store):
    """In a folder by their path, in an object store by bucket and key; a registered model by its URI."""
    run = store.runs.open_or_start("r1", load_settings(overrides={"data.dataset": "s3://other/tables"}))
    run.record(StageResult("ingest", "k", 1.0, False))
    run.record(StageResult("promote", "k", 1.0, False, {"model_name": "pinsage-demo", "model_version": 3}))
    bucket, _, folder = store.place.removeprefix("s3://").partition("/")
    where = Dataset(f"s3://{bucket}", f"{folder}/artifacts/ingest/k") if store.is_remote else None
    found = openlineage("ingest", "r1", store.home)
    assert found.inputs == [Dataset("s3://other", "tables")]
    assert found.outputs == [where or Dataset("file", f"{store.place}/artifacts/ingest/k")]
    assert openlineage("promote", "r1", store.home).outputs == [Dataset("mlflow", "models:/pinsage-demo/3")]


def test_a_task_says_its_lineage_to_airflow(dag, home, monkeypatch):
    """By the method that Airflow's extractor looks for."""
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    monkeypatch.delenv(STORE, raising=False)
    run = open_store(home).runs.open_or_start("lineage", load_settings(overrides={"data.dataset": "/tables"}))
    run.record(StageResult("ingest", "k", 1.0, False))
    found = ExtractorManager().extract_metadata(
        dagrun=SimpleNamespace(run_id="lineage"),
        task=dag.get_task("ingest"),
        task_instance=SimpleNamespace(run_id="lineage"),
        task_instance_state=TaskInstanceState.SUCCESS,
    )
    assert [place.name for place in found.inputs] == ["/tables"]
    assert [place.name for place in found.outputs] == [f"{home}/artifacts/ingest/k"]

"""The Helm values: pods of stages get their sizes, and only the training asks for a GPU."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tasks.stages import STAGES

VALUES = Path(__file__).parents[2] / "docker" / "kubernetes" / "values.yaml"


@pytest.fixture
def settings(monkeypatch):
    """What `airflowLocalSettings` defines, with stand-ins for the models of the Kubernetes client."""
    models = SimpleNamespace(V1ResourceRequirements=SimpleNamespace, V1Toleration=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "kubernetes", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "kubernetes.client", SimpleNamespace(models=models))
    defined: dict = {}
    exec(yaml.safe_load(VALUES.read_text(encoding="utf-8"))["airflowLocalSettings"], defined)  # noqa: S102
    return defined


def pod(**labels: str) -> SimpleNamespace:
    spec = SimpleNamespace(containers=[SimpleNamespace(resources=None)], node_selector=None, tolerations=None)
    return SimpleNamespace(metadata=SimpleNamespace(labels=labels), spec=spec)


def test_the_training_goes_to_a_node_with_a_gpu(settings):
    """With a request for one, and a toleration of the taint that such nodes have."""
    training = pod(task_id="train")
    settings["pod_mutation_hook"](training)
    assert training.spec.containers[0].resources.limits["nvidia.com/gpu"] == "1"
    assert training.spec.node_selector == {"nvidia.com/gpu.present": "true"}
    assert [toleration.key for toleration in training.spec.tolerations] == ["nvidia.com/gpu"]


def test_other_stages_ask_for_no_gpu(settings):
    """Each has a size, its own or the common one."""
    for stage in STAGES.keys() - {"train"}:
        other = pod(task_id=stage)
        settings["pod_mutation_hook"](other)
        assert "nvidia.com/gpu" not in other.spec.containers[0].resources.requests
        assert other.spec.node_selector is None


def test_pods_of_no_stage_stay_as_they_are(settings):
    """Those of Airflow's own services, say."""
    service = pod()
    settings["pod_mutation_hook"](service)
    assert service.spec.containers[0].resources is None


def test_sizes_name_stages(settings):
    """A stage that was renamed would silently get the common size."""
    assert settings["SIZES"].keys() <= STAGES.keys()

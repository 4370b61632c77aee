"""The promises of docker/ that can be checked without Docker: pins, health, limits, loopback, secrets, users."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from pinsage.settings.loading import load_settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE)["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
ONCE = {"airflow-init", "client"}  # they end by themselves
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|_KEY\b|SQL_ALCHEMY_CONN|BROKER_URL|RESULT_BACKEND|BACKEND_STORE_URI")

LOGIN = "secrets/mlflow-client.env"
RETENTION = {"PINSAGE_KEEP_DAYS": "30", "PINSAGE_KEEP_RUNS": "30", "PINSAGE_GRACE_HOURS": "48"}


def without_defaults(text):
    """`${NAME:-default}` as its default."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(text))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_a_service_that_stays_has_a_health_check_and_comes_back_by_itself(name):
    """A crash of any of them heals without a hand."""
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_limits_and_cannot_gain_rights(name):
    """Memory, processors and what a process may become."""
    service = SERVICES[name]
    assert service["mem_limit"]
    assert float(without_defaults(service["cpus"])) <= 2, "more than the host has is refused at the start"
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_is_published_beyond_loopback(name):
    """Whoever wants more puts a proxy with TLS in front."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_stands_in_the_compose_file(name):
    """They come from docker/secrets/, without which Compose refuses to start."""
    environment = SERVICES[name].get("environment", {})
    assert [variable for variable in environment if SECRET.search(variable)] == []
    for path in SERVICES[name].get("env_file", []):
        assert path.startswith("secrets/")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name):
    """A tag that says which version, and never `latest`."""
    image = without_defaults(SERVICES[name]["image"])
    assert re.search(r":(local|v?\d+[\w.-]*)$", image), image


def test_the_settings_of_the_deployment_name_its_services():
    """The DAG cannot be read with a setting that is unknown, nor work with an address that is nobody's."""
    settings = load_settings(DOCKER / "service" / "deployment.yaml")
    for address in (settings.cluster.address, settings.tracking.uri):
        assert urlsplit(address).hostname in SERVICES


@pytest.mark.parametrize("name", ["worker", "client"])
def test_retention_is_told_its_bounds_wherever_it_runs(name):
    """The nightly DAG prunes on the default worker, `pinsage store prune` in the client: from one place."""
    given = SERVICES[name]["environment"]
    assert {variable: without_defaults(given[variable]) for variable in RETENTION} == RETENTION


def test_whoever_reads_or_changes_a_registry_can_log_in_to_mlflow():
    """In the client, too: `store prune` keeps every run of a registry that it cannot ask."""
    with_login = {name for name, service in SERVICES.items() if LOGIN in service.get("env_file", [])}
    assert {"client", "worker", "worker-gpu", "dag-processor"} <= with_login
    assert with_login.isdisjoint({"dask-worker", "dask-scheduler", "postgres", "redis", "object-store"})


def test_the_order_of_the_start_waits_for_health():
    """Every dependency has a condition, and whoever needs a table waits for the one that makes it."""
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            done = "service_completed_successfully" if needed == "airflow-init" else "service_healthy"
            assert how == {"condition": done}, (name, needed)
    airflow = {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "worker-gpu", "mlflow"}
    assert all("airflow-init" in SERVICES[name]["depends_on"] for name in airflow)


def test_trainings_go_to_a_worker_that_does_one_at_a_time():
    """The queue of the DAG's task `train` has one worker, the rest another."""
    gpu, default = SERVICES["worker-gpu"]["command"], SERVICES["worker"]["command"]
    assert gpu[gpu.index("--queues") + 1 :] == ["gpu", "--concurrency", "1"]
    assert default[default.index("--queues") + 1] == "default"


def test_dask_workers_reach_no_database():
    """Whoever can submit to Dask runs code on its workers: they know the store's keys alone."""
    for name in ("dask-worker", "dask-scheduler"):
        assert SERVICES[name]["networks"] == ["work"]
    assert SERVICES["dask-worker"]["env_file"] == ["secrets/store.env"]
    assert all(SERVICES[name]["networks"] == ["control"] for name in ("postgres", "redis"))


def test_workers_share_no_folder():
    """Artifacts travel through the store."""
    owners: dict[str, list[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            owners.setdefault(without_defaults(volume).split(":")[0], []).append(name)
    assert [volume for volume, names in owners.items() if len(names) > 1] == []


def test_the_image_runs_as_nobody_special_and_carries_no_compiler():
    """The compiler stays in the first stage; everything is installed under constraints.txt."""
    build, final = DOCKERFILE.split("\nFROM ")[1:]
    assert "g++" in build
    assert "g++" not in final
    assert "apt-get" not in final
    assert re.findall(r"^USER (.*)", final, re.MULTILINE) == ["pinsage"]
    assert "HEALTHCHECK" in final
    installs = re.findall(r"pip install (?!--no-cache-dir --no-deps)[^&\n]*", DOCKERFILE)
    assert installs
    assert all("--constraint constraints.txt" in words for words in installs)


def test_only_what_the_image_needs_goes_to_the_builder():
    """Everything is ignored, then what the Dockerfile copies is taken back."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert "*" in rules
    assert taken == {word for words in copied for word in words.split()}


def test_packages_of_the_services_are_pinned_by_the_constraints():
    """One set, tested together."""
    pins = set((ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    wanted = [line for line in (DOCKER / "requirements.txt").read_text(encoding="utf-8").splitlines() if "==" in line]
    assert [line for line in wanted if re.sub(r"\[.*\]", "", line) not in pins] == []


def test_secrets_are_made_once_for_the_owner_alone(tmp_path):
    """Mode 600 in a folder of mode 700; a second call changes nothing, since the databases know the first."""
    script = shutil.copy(DOCKER / "make-secrets.sh", tmp_path)
    subprocess.run(["sh", script], check=True, capture_output=True)
    files = sorted((tmp_path / "secrets").iterdir())
    named = {path for service in SERVICES.values() for path in service.get("env_file", [])}
    assert {f"secrets/{path.name}" for path in files} == named
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    before = [path.read_bytes() for path in files]
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert [path.read_bytes() for path in files] == before


def test_every_deployment_has_secrets_of_its_own(tmp_path):
    """No password is a default, none is empty, and Airflow takes the Fernet key."""
    values = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(["sh", shutil.copy(DOCKER / "make-secrets.sh", folder)], check=True, capture_output=True)
        lines = "".join(path.read_text() for path in sorted((folder / "secrets").iterdir())).splitlines()
        values.append(dict(line.split("=", 1) for line in lines if not line.startswith("#")))
    users = {"PINSAGE_AIRFLOW_USER", "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_TRACKING_USERNAME"}
    given = {"AWS_ENDPOINT_URL", "AWS_REGION", *users}
    same = {name for name in values[0] if values[0][name] == values[1][name]}
    assert same == given
    assert all(len(value) >= 20 for name, value in values[0].items() if name not in given)
    from cryptography.fernet import Fernet

    Fernet(values[0]["AIRFLOW__CORE__FERNET_KEY"])


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"]], ids=["cpu", "gpu"])
def test_the_compose_client_accepts_the_files(files, tmp_path):
    """The client's own schema, where a client is installed."""
    client = compose_client()
    if not client:
        pytest.skip("neither `docker compose` nor docker-compose is installed here")
    shutil.copytree(DOCKER, tmp_path / "docker", ignore=shutil.ignore_patterns("secrets", "data"))
    subprocess.run(["sh", tmp_path / "docker" / "make-secrets.sh"], check=True, capture_output=True)
    named = [word for file in files for word in ("--file", str(tmp_path / "docker" / file))]
    done = subprocess.run([*client, *named, "config", "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def compose_client():
    """The command of the Compose client here, or None."""
    if shutil.which("docker"):
        version = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if version.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def test_scripts_of_the_host_are_executable():
    """The Makefile calls them by name."""
    for name in ("make-secrets.sh", "run.sh", "wait.sh"):
        assert os.access(DOCKER / name, os.X_OK), name

"""The environment of the servers: loopback, no examples, no stranger's settings, and a secret that stays one."""

import stat

import pytest
import yaml

from pinsage.errors import SettingsError
from pinsage.settings.loading import load_settings
from tasks.standalone.deployment import Deployment
from tasks.standalone.services import airflow_services, mlflow_service


@pytest.fixture
def deployment(tmp_path) -> Deployment:
    return Deployment(tmp_path / "var", 18080, 15000)


def test_ports_and_home_come_from_the_environment(tmp_path):
    """Or are the usual ones."""
    assert Deployment.from_environment({"PINSAGE_HOME": str(tmp_path)}) == Deployment(tmp_path, 8080, 5000)
    assert Deployment.from_environment({"PINSAGE_AIRFLOW_PORT": "8081"}).airflow_url == "http://127.0.0.1:8081"
    with pytest.raises(SettingsError, match="PINSAGE_MLFLOW_PORT is 'x'"):
        Deployment.from_environment({"PINSAGE_MLFLOW_PORT": "x"})


def test_the_secret_is_long_made_once_and_for_the_owner_only(deployment):
    """64 characters or more; nobody else may read it or its folder."""
    first = deployment.airflow_environment()["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert len(first) >= 64
    assert deployment.airflow_environment()["AIRFLOW__API_AUTH__JWT_SECRET"] == first
    assert stat.S_IMODE((deployment.airflow_home / "jwt_secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(deployment.airflow_home.stat().st_mode) == 0o700


def test_servers_are_told_to_listen_on_loopback_only(deployment):
    """Airflow's default is every interface, and its scheduler's log server has no other choice, so it is off."""
    assert deployment.airflow_environment()["AIRFLOW__API__HOST"] == "127.0.0.1"
    argv = mlflow_service(deployment).argv
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    scheduler = next(service for service in airflow_services(deployment) if service.name == "airflow-scheduler")
    assert "--skip-serve-logs" in scheduler.argv


def test_the_reader_of_dags_tells_of_faults_alone(deployment):
    """It would tell of each look at each file, for as long as the servers are up."""
    levels = {
        service.name: service.environment.get("AIRFLOW__LOGGING__LOGGING_LEVEL")
        for service in airflow_services(deployment)
    }
    assert levels == {"airflow-api-server": None, "airflow-scheduler": None, "airflow-dag-processor": "WARNING"}


def test_another_airflow_of_the_same_shell_is_left_out(deployment, monkeypatch):
    """Its home, its database and its tracking server are not ours."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    environment = deployment.airflow_environment()
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "MLFLOW_TRACKING_URI" not in environment


def test_the_last_settings_become_the_deployments_own(deployment):
    """Read back they are the same; unchanged settings do not touch the file."""
    deployment.home.mkdir()
    settings = load_settings(overrides={"walk.num_walks": 7, "data.as_of": "2026-01-02T00:00:00Z"})
    deployment.write_config(settings)
    assert load_settings(deployment.config) == settings
    before = deployment.config.stat()
    deployment.write_config(settings)
    assert deployment.config.stat().st_ino == before.st_ino
    assert yaml.safe_load(deployment.config.read_text())["walk"]["num_walks"] == 7


def test_bytecode_is_kept_even_where_the_shell_forbids_it_beside_the_sources(deployment, monkeypatch):
    """Three dozen processes would compile what they import, each for itself; the shell's wish for the sources holds."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = deployment.server_environment()
    assert environment["PYTHONDONTWRITEBYTECODE"] == ""
    assert environment["PYTHONPYCACHEPREFIX"].startswith(str(deployment.home))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    assert "PYTHONPYCACHEPREFIX" not in deployment.server_environment()


def test_a_login_is_asked_for_unless_the_owner_says_otherwise(deployment, tmp_path):
    """A machine with several users is normal; where there is one, nothing has to be typed."""
    assert deployment.airflow_environment()["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert "basic-auth" in mlflow_service(deployment).argv
    alone = Deployment.from_environment({"PINSAGE_HOME": str(tmp_path), "PINSAGE_LOGIN": "off"})
    assert alone.airflow_environment()["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"
    assert "basic-auth" not in mlflow_service(alone).argv
    with pytest.raises(SettingsError, match="PINSAGE_LOGIN is 'no'"):
        Deployment.from_environment({"PINSAGE_LOGIN": "no"})


def test_the_trigger_form_opens_the_owners_tables_or_what_he_lists(deployment, monkeypatch):
    """His home folder, since he alone logs in; what PINSAGE_ALLOWED lists, if it is set."""
    monkeypatch.delenv("PINSAGE_ALLOWED", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert deployment.airflow_environment()["PINSAGE_ALLOWED"] == "/home/ada"
    monkeypatch.setenv("PINSAGE_ALLOWED", "s3://bucket/")
    assert deployment.airflow_environment()["PINSAGE_ALLOWED"] == "s3://bucket/"

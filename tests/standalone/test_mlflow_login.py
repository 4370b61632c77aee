"""MLflow as `make run` starts it gives another user of this machine nothing, and its own user everything."""

import os
import socket
import time
from pathlib import Path

import pytest
import requests

from tasks.standalone.deployment import Deployment
from tasks.standalone.services import mlflow_service, stop


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """A deployment whose MLflow runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    deployment = Deployment(tmp_path_factory.mktemp("login") / "var", mlflow_port=port)
    deployment.write_mlflow_users()
    service = mlflow_service(deployment)
    service.start()
    deadline = time.monotonic() + 120
    while not answers(deployment):
        assert service.process(), service.last_words()
        assert time.monotonic() < deadline, service.last_words()
        time.sleep(0.2)
    yield deployment
    stop([service])


def answers(deployment):
    try:
        return requests.get(f"{deployment.mlflow_url}/health", timeout=5).ok
    except requests.RequestException:
        return False


def ask(deployment, method, path, user=None, **more):
    auth = (user.name, user.password) if user else None
    url = f"{deployment.mlflow_url}/{path}"
    return requests.request(method, url, auth=auth, timeout=60, **more)


def test_a_stranger_gets_nothing(deployment):
    """No page, no run, no file, nor an experiment whose files lie where he wants to read."""
    api = "api/2.0/mlflow"
    foreign = {"name": "foreign", "artifact_location": "file:///"}
    assert ask(deployment, "GET", "").status_code == 401
    assert ask(deployment, "GET", f"{api}/experiments/search?max_results=9").status_code == 401
    assert ask(deployment, "POST", f"{api}/experiments/create", json=foreign).status_code == 401
    assert ask(deployment, "GET", "get-artifact?path=mlflow.db&run_uuid=0").status_code == 401
    assert ask(deployment, "GET", "ajax-api/2.0/mlflow/experiments/search?max_results=9").status_code == 401
    assert ask(deployment, "POST", "graphql", json={"query": "{ __schema { types { name } } }"}).status_code in (
        401,
        403,
    )


def test_a_wrong_password_is_no_password(deployment):
    """Nor is that of another user."""
    user = deployment.login.user
    for name, password in ((user.name, "guess"), ("admin", user.password), ("admin", "password1234")):
        answer = requests.get(f"{deployment.mlflow_url}/", auth=(name, password), timeout=60)
        assert answer.status_code == 401


def test_the_owner_gets_in(deployment):
    """With the password of the login file."""
    found = ask(deployment, "GET", "api/2.0/mlflow/experiments/search?max_results=9", deployment.login.user)
    assert [experiment["name"] for experiment in found.json()["experiments"]] == ["Default"]


@pytest.fixture
def secret(tmp_path):
    """A file of the owner's that is no file of a run."""
    (tmp_path / "secret").write_text("of the owner")
    return tmp_path / "secret"


def make_run(deployment, name, **more):
    """A run in a new experiment, as the owner makes it over HTTP: its id and the place of its files."""
    user, api = deployment.login.user, "api/2.0/mlflow"
    made = ask(deployment, "POST", f"{api}/experiments/create", user, json={"name": name, **more}).json()
    run = ask(deployment, "POST", f"{api}/runs/create", user, json={"experiment_id": made["experiment_id"]}).json()
    info = run["run"]["info"]
    return info["run_id"], info["artifact_uri"]


def files_of(deployment, run_id, path):
    """What the server says when it is asked for a file of a run, and for the list of its files."""
    user = deployment.login.user
    got = ask(deployment, "GET", f"get-artifact?path={path}&run_uuid={run_id}", user)
    listed = ask(deployment, "GET", f"api/2.0/mlflow/artifacts/list?run_id={run_id}", user)
    return [(got.status_code, got.text), (listed.status_code, listed.text)]


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_who_is_logged_in_reads_no_file_elsewhere(deployment, secret, scheme):
    """An experiment may be given any place; the server opens nothing there."""
    run_id, place = make_run(deployment, f"elsewhere {scheme}", artifact_location=f"{scheme}{secret.parent}")
    folder = Path(place.removeprefix("file://"))
    folder.mkdir(parents=True)
    secret.rename(folder / "secret")
    for status, said in files_of(deployment, run_id, "secret"):
        assert status == 400
        assert "outside of the folder whose files this server gives out" in said


def test_a_link_to_elsewhere_is_not_followed(deployment, secret):
    """In place of a run's folder, and within it; the run's own files are given out."""
    run_id, place = make_run(deployment, "links")
    folder = Path(place.removeprefix("file://"))
    folder.mkdir(parents=True)
    (folder / "own").write_text("of the run")
    (folder / "link").symlink_to(secret)
    assert files_of(deployment, run_id, "own")[0] == (200, "of the run")
    assert files_of(deployment, run_id, "link")[0][0] == 400
    linked_id, place = make_run(deployment, "a link")
    Path(place.removeprefix("file://")).parent.mkdir(parents=True)
    Path(place.removeprefix("file://")).symlink_to(secret.parent)
    assert {status for status, _ in files_of(deployment, linked_id, "secret")} == {400}


def test_the_password_is_in_no_command_line_and_no_log(deployment):
    """Every user of the machine sees the command lines of all processes."""
    password = deployment.login.user.password
    service = mlflow_service(deployment)
    assert password not in " ".join(service.argv)
    assert password not in service.log.read_text(errors="replace")
    with open(f"/proc/{service.process().pid}/environ", "rb") as environment:
        assert os.fstat(environment.fileno()).st_mode & 0o077 == 0

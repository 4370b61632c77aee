"""Airflow on loopback answers to the names of this machine alone."""

import runpy

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def client(dag_bag):
    """An application with the middlewares of our plugin, put on as Airflow puts them on."""
    plugin = runpy.run_path(f"{dag_bag.dag_folder}/plugins/loopback_hosts.py")["LoopbackHosts"]
    app = FastAPI()
    app.get("/")(lambda: "here")
    for middleware in plugin.fastapi_root_middlewares:
        app.add_middleware(middleware["middleware"], *middleware["args"], **middleware["kwargs"])
    return TestClient(app)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost"])
def test_the_names_of_this_machine_are_answered(client, host):
    """With any port."""
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
def test_a_name_that_somebody_pointed_here_is_not(client, host):
    """DNS rebinding: the page's own name leads to loopback, and the browser takes both for one origin."""
    assert client.get("/", headers={"Host": host}).status_code == 400

"""TLS: what Dask's own configuration names is enough for client, scheduler and worker to talk in private."""

import shutil
import subprocess

import cluster_parts
import dask
import pytest
from separate_cluster import scheduler_process, worker_process

from pinsage.cluster import connection
from pinsage.cluster.connection import open_cluster
from pinsage.errors import ClusterError
from pinsage.settings.schema import ClusterSettings


def certificate(folder, name):
    """A certificate that is its own authority, and its key."""
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return f"{folder}/cert.pem", f"{folder}/key.pem"


def configuration(authority, cert, key):
    """The part of Dask's configuration that names our files."""
    tls = "distributed.comm.tls"
    return {f"{tls}.ca-file": authority, f"{tls}.client.cert": cert, f"{tls}.client.key": key}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The certificate of the cluster, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="module")
def address(files, tmp_path_factory):
    """A scheduler with one worker, both on loopback with TLS."""
    cert, key = files
    tls, folder = ("--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key), tmp_path_factory.mktemp("cluster")
    with (
        scheduler_process(folder, "tls://127.0.0.1", tls) as (_, address),
        worker_process(address, folder, ("--no-nanny", *tls)),
    ):
        yield address


def test_work_is_done_on_a_cluster_with_tls(address, files):
    """A real scheduler and a real worker; the address is the only setting of ours."""
    cert, key = files
    with dask.config.set(configuration(cert, cert, key)), open_cluster(ClusterSettings(address=address)) as cluster:
        assert cluster.run(cluster_parts.squared, [(2,), (3,)], label="square") == [4, 9]


def test_a_client_without_the_right_authority_is_turned_away(address, files, tmp_path, monkeypatch):
    """Its certificate was signed by somebody else; the error says where certificates are named."""
    monkeypatch.setattr(connection, "CONNECT_S", 2.0)
    stranger = configuration(files[0], *certificate(tmp_path, "stranger"))
    with (
        dask.config.set(stranger),
        pytest.raises(ClusterError, match=r"No Dask scheduler answered at tls://.* distributed\.comm\.tls"),
        open_cluster(ClusterSettings(address=address)),
    ):
        pytest.fail("a stranger got in")


def test_a_client_without_certificates_gets_one_sentence(address, monkeypatch):
    """Dask's own refusal, in our words."""
    monkeypatch.setattr(connection, "CONNECT_S", 2.0)
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answered at tls://.* distributed\.comm\.tls"),
        open_cluster(ClusterSettings(address=address)),
    ):
        pytest.fail("a stranger got in")

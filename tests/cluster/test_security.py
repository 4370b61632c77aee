"""TLS: three files are asked for, and with them client, scheduler and worker talk in private."""

import shutil
import subprocess

import cluster_parts
import pytest
from separate_cluster import scheduler_process, worker_process

from pinsage.cluster import connection
from pinsage.cluster.connection import connected
from pinsage.cluster.security import security_of
from pinsage.errors import ClusterError, SettingsError
from pinsage.settings import ClusterSettings


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate of our own, which is also its authority, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run([*command.split(), *extension], check=True, capture_output=True)
    return {"tls_ca_file": f"{folder}/cert.pem", "tls_cert": f"{folder}/cert.pem", "tls_key": f"{folder}/key.pem"}


@pytest.fixture(scope="module")
def address(files, tmp_path_factory):
    """A scheduler with one worker, both on loopback with TLS."""
    roles = [f"--tls-{kind}" for kind in ("ca-file", "cert", "key")]
    tls = [part for pair in zip(roles, files.values(), strict=True) for part in pair]
    folder = tmp_path_factory.mktemp("cluster")
    with (
        scheduler_process(folder, "tls://127.0.0.1", tls) as (_, address),
        worker_process(address, folder, ("--no-nanny", *tls)),
    ):
        yield address


def test_work_is_done_on_a_cluster_with_tls(address, files):
    """A real scheduler and a real worker."""
    with connected(ClusterSettings(address=address, **files)) as cluster:
        assert cluster.run(cluster_parts.squared, [(2,), (3,)], label="square") == [4, 9]


def test_a_client_without_the_right_authority_is_turned_away(address, files, tmp_path, monkeypatch):
    """Its certificate was signed by somebody else."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=stranger"
    subprocess.run(
        [*command.split(), "-keyout", f"{tmp_path}/key.pem", "-out", f"{tmp_path}/cert.pem"],
        check=True,
        capture_output=True,
    )
    stranger = {"tls_cert": f"{tmp_path}/cert.pem", "tls_key": f"{tmp_path}/key.pem"}
    monkeypatch.setattr(connection, "CONNECT_S", 2.0)
    settings = ClusterSettings(address=address, **{**files, **stranger})
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answered at tls://.* cluster\.tls_"),
        connected(settings),
    ):
        pytest.fail("a stranger got in")


def test_an_address_with_tls_asks_for_the_three_files():
    """One sentence that names them."""
    with pytest.raises(SettingsError, match=r"tls://h:1 .* without cluster\.tls_ca_file, .*tls_cert, .*tls_key"):
        security_of(ClusterSettings(address="tls://h:1"))


def test_some_of_the_files_are_not_enough(files):
    """The missing one is named, and what is there."""
    given = {name: files[name] for name in ("tls_ca_file", "tls_cert")}
    with pytest.raises(SettingsError, match=r"with cluster\.tls_ca_file, .* but without cluster\.tls_key\."):
        security_of(ClusterSettings(address="tls://h:1", **given))


def test_a_file_that_is_not_there_is_named(files, tmp_path):
    """Before a connection is tried."""
    with pytest.raises(SettingsError, match=r"cluster\.tls_key is '.*nowhere', which is no file"):
        security_of(ClusterSettings(address="tls://h:1", **{**files, "tls_key": str(tmp_path / "nowhere")}))


def test_without_files_and_without_tls_nothing_is_secured():
    """The cluster on loopback, as before."""
    assert security_of(ClusterSettings()) is None


def test_the_cluster_of_this_machine_can_speak_tls_too(files):
    """Scheduler, worker and client share the certificate."""
    with connected(ClusterSettings(num_workers=1, **files)) as cluster:
        assert cluster.run(cluster_parts.squared, [(5,)], label="square") == [25]

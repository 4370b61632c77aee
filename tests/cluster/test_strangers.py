"""Another user of this machine, to whom loopback is open too, gets nothing from the cluster on loopback."""

import contextlib
import logging
import socket
import ssl

import cluster_parts
import psutil
import pytest
import requests
from distributed.security import Security

from pinsage.cluster.connection import open_cluster
from pinsage.settings.schema import ClusterSettings

PAGES = ("/status", "/info/main/workers.html", "/info/logs.html", "/json/index.html", "/metrics")


@pytest.fixture(scope="module")
def listening():
    """The addresses on which the processes of a running cluster listen."""
    me = psutil.Process()
    logging.getLogger("distributed.comm.tcp").setLevel(logging.ERROR)  # it warns of each of our knocks
    before = set(addresses([me]))
    with open_cluster(ClusterSettings(num_workers=1)) as cluster:
        assert cluster.run(cluster_parts.squared, [(3,)], label="square") == [9]
        yield sorted(set(addresses([me, *me.children(recursive=True)])) - before)


def addresses(processes):
    for process in processes:
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    yield connection.laddr.ip, connection.laddr.port


def test_everything_listens_on_loopback(listening):
    """Scheduler, worker, the nanny of the worker, and what serves health."""
    assert len(listening) >= 3
    assert {ip for ip, _ in listening} == {"127.0.0.1"}


def greeting(port, context=None):
    """The first bytes that a server of Dask says to whoever it lets in; none if it says nothing within a second."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=1) as plain,
        context.wrap_socket(plain) if context else contextlib.nullcontext(plain) as connection,
    ):
        return connection.recv(64)
    return b""


def test_a_stranger_without_a_key_is_told_nothing(listening):
    """A scheduler or worker without TLS says who it is at once, and then runs what it is sent."""
    assert [greeting(port) for _, port in listening] == [b""] * len(listening)


def test_a_stranger_with_a_key_of_his_own_is_told_nothing(listening):
    """Whoever signed the key matters, not that there is one."""
    context = Security.temporary().get_connection_args("client")["ssl_context"]
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert [greeting(port, context) for _, port in listening] == [b""] * len(listening)


def test_no_page_tells_of_the_job(listening):
    """Dask's dashboard, its tables, logs and figures have no login, so they are not served."""
    for _, port in listening:
        for page in PAGES:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                answer = requests.get(f"http://127.0.0.1:{port}{page}", timeout=2)
                assert answer.status_code == 404, f"{port}{page}"

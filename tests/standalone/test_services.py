"""Servers are started once, known again, and ended with all they started; strangers are left alone."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tasks.standalone import services
from tasks.standalone.services import Service, ServiceError, is_taken, stop, watch

WAIT = "import time; time.sleep(60)"


@pytest.fixture
def make(tmp_path):
    """Makes services of a few lines of Python; whatever they started is gone afterwards."""
    made: list[Service] = []

    def service(code=WAIT, name="airflow-test", port=0) -> Service:
        argv = (sys.executable, "-c", code)
        made.append(Service(name, argv, dict(os.environ), tmp_path / f"{name}.log", tmp_path / f"{name}.json", port))
        return made[-1]

    yield service
    stop(made)


def wait_for(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_a_service_runs_in_a_session_of_its_own_and_is_started_once(make):
    """A second start finds it; Ctrl-C in this terminal does not reach it."""
    service = make()
    service.start()
    pid = service.process().pid
    service.start()
    assert service.process().pid == pid
    assert os.getsid(pid) == pid


def test_stop_ends_the_service_and_what_it_started(make, monkeypatch):
    """Even a child in another process group that does not want to end; a second stop has nothing to do."""
    monkeypatch.setattr(services, "GRACE_S", 0.5)
    code = (
        "import subprocess, sys, time\n"
        "ignoring = 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', ignoring], stdout=subprocess.PIPE, start_new_session=True)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    service = make(code)
    service.start()
    wait_for(service.last_words)
    child = psutil.Process(int(service.last_words()))
    assert stop([service]) == ["airflow-test"]
    assert service.process() is None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert stop([service]) == []


def test_a_pid_that_now_belongs_to_another_process_is_not_ours(make):
    """The record names a pid and a start time; a process with another start time is neither running nor stopped."""
    stranger = subprocess.Popen([sys.executable, "-c", WAIT])
    try:
        service = make()
        started = psutil.Process(stranger.pid).create_time() - 100
        service.record.write_text(json.dumps({"pid": stranger.pid, "started": started, "port": 0}))
        assert service.process() is None
        assert stop([service]) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_no_flip_of_a_bit_of_the_record_makes_another_process_ours(make):
    """It is ours, or no process is: then the port that it holds is what stops a second start.

    Its neighbors have been started in the same second, and their numbers differ by a bit.
    """
    neighbors = [make(name=f"airflow-{number}") for number in range(6)]
    service = neighbors[3]
    for each in neighbors:
        each.start()
    pid, content = service.process().pid, service.record.read_bytes()
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        service.record.write_bytes(changed)
        found = service.process()
        assert found is None or found.pid == pid
        if found:
            with contextlib.suppress(ServiceError):
                service.check_port()
    service.record.write_bytes(content)


def test_a_port_that_a_stranger_holds_is_named_with_the_way_out(make):
    """Once it is free again there is nothing to say."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert is_taken(port)
        service = make(name="airflow-api-server", port=port)
        with pytest.raises(ServiceError, match=f"Port {port} is taken.*PINSAGE_AIRFLOW_PORT={port + 1}"):
            service.check_port()
    assert not is_taken(port)
    service.check_port()


def test_a_service_of_ours_on_another_port_is_not_waited_for(make):
    """Its own port is fine; with another one the sentence says which it has."""
    service = make(name="mlflow", port=15001)
    service.start()
    service.check_port()
    with pytest.raises(ServiceError, match=r"runs on port 15001, not 15002.*PINSAGE_MLFLOW_PORT=15001"):
        dataclasses.replace(service, port=15002).check_port()


def test_a_service_that_ends_by_itself_is_reported_with_its_last_words(make):
    """Instead of whatever error followed from it."""
    service = make("print('no such database')")
    service.start()
    wait_for(lambda: service.process() is None)
    with pytest.raises(ServiceError, match="no such database"), watch([service]):
        raise ConnectionError


def test_an_interrupt_is_not_deaf_in_a_started_service(make):
    """SIGINT works in the servers although background jobs of a shell ignore it."""
    service = make("import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        service.start()
        wait_for(service.last_words)
    finally:
        signal.signal(signal.SIGINT, before)
    assert service.last_words() == "False"

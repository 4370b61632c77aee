"""The servers on this machine: started in sessions of their own, known again by pid and start time, ended exactly."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from pinsage.errors import PinSageError
from pinsage.store.sealed import seal, unseal
from tasks.standalone.deployment import LOOPBACK, ROOT, Deployment

GRACE_S = 10.0


class ServiceError(PinSageError):
    """A server could not be started, or ended by itself."""


@dataclass(frozen=True)
class Service:
    """One server process. `port` is 0 where it listens nowhere; `record` remembers which process is ours."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    record: Path
    port: int = 0

    def process(self) -> "psutil.Process | None":
        """Our running process, or None: a pid that meanwhile belongs to another process is not ours."""
        try:
            known = self._recorded()
            process = psutil.Process(known["pid"])
            is_ours = abs(process.create_time() - known["started"]) < 2
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def check_port(self) -> None:
        """Return if its port is free, or its own already.

        Raises:
            ServiceError: another program listens there, or it runs on another port.
        """
        variable = f"PINSAGE_{self.name.split('-')[0].upper()}_PORT"
        if self.process():
            port = self._recorded()["port"]
            if port != self.port:
                raise ServiceError(
                    f"{self.name} runs on port {port}, not {self.port}. Say {variable}={port}, or make stop first."
                )
        elif self.port and is_taken(self.port):
            raise ServiceError(
                f"Port {self.port} is taken by another program, and {self.name} needs it. "
                f"Stop that program, or choose another port: make run {variable}={self.port + 1}"
            )

    def start(self) -> None:
        """Start the process in a session of its own, unless it runs."""
        if self.process():
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.record.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.argv,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = psutil.Process(child.pid).create_time()
        # Sealed: our servers start one after the other, so a flipped bit in a pid would make one the other.
        known = seal({"pid": child.pid, "started": started, "port": self.port})
        self.record.write_text(json.dumps(known), encoding="utf-8")

    def last_words(self, lines: int = 8) -> str:
        """The end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _recorded(self) -> dict[str, Any]:
        return unseal(json.loads(self.record.read_bytes()), ("pid", "started", "port"))


def airflow_services(deployment: Deployment) -> list[Service]:
    """The parts of `airflow standalone`, less what would listen beyond this machine or has no work here.

    Its scheduler and triggerer serve logs on all interfaces (ports 8793 and 8794) with no setting for the address, and
    no task here is deferred to a triggerer: the one that waits for a person is parked without (Airflow 3.3).
    """
    environment = deployment.airflow_environment()
    # It reads the DAGs every 30 s and tells of each step: 14 MB a day in which nothing is wrong.
    quiet = {**environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    commands = {
        "api-server": (("api-server",), environment),
        "scheduler": (("scheduler", "--skip-serve-logs"), environment),
        "dag-processor": (("dag-processor",), quiet),
    }
    return [
        _service(deployment, f"airflow-{name}", (_program("airflow"), *words), chosen)
        for name, (words, chosen) in commands.items()
    ]


def mlflow_service(deployment: Deployment) -> Service:
    """The MLflow server over the database that the stages write to; whoever asks has to be the deployment's user."""
    folder = deployment.home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "mlflow.db"
    options = {
        "--backend-store-uri": f"sqlite:///{database}",
        "--default-artifact-root": (folder / "artifacts").as_uri(),
        "--host": LOOPBACK,
        "--port": str(deployment.mlflow_port),
        "--workers": "1",
    }
    argv = (
        *(sys.executable, "-m", "tasks.standalone.mlflow_server", str(database)),
        *(_program("mlflow"), "server"),
        "--no-serve-artifacts",
        *(("--app-name", "basic-auth") if deployment.asks_for_login else ()),
        *(word for option in options.items() for word in option),
    )
    return _service(deployment, "mlflow", argv, deployment.mlflow_environment())


def migrate_airflow(deployment: Deployment) -> None:
    """Create or upgrade Airflow's tables.

    Raises:
        ServiceError: Airflow refused; its last words are in the message.
    """
    argv = [_program("airflow"), "db", "migrate"]
    done = subprocess.run(
        argv, env=deployment.airflow_environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise ServiceError(f"Airflow's database in {deployment.airflow_home} cannot be prepared.\n{words}")


def start_warm_up(deployment: Deployment) -> "subprocess.Popen[bytes]":
    """Compile what the stages need, in a process of its own; see `tasks.standalone.warm_up`."""
    argv = [sys.executable, "-m", "tasks.standalone.warm_up", str(deployment.home)]
    deployment.logs.mkdir(parents=True, exist_ok=True)
    with (deployment.logs / "warm-up.log").open("ab") as log:
        return subprocess.Popen(argv, env=deployment.server_environment(), cwd=ROOT, stdout=log, stderr=log)


def stop(services: list[Service]) -> list[str]:
    """End the services and everything they started, together; the names of those that were running."""
    running = {service.name: process for service in services if (process := service.process())}
    family = [member for process in running.values() for member in (process, *_descendants(process))]
    for process in running.values():
        _signal(process, signal.SIGTERM)
    for member in psutil.wait_procs(family, timeout=GRACE_S)[1]:
        _signal(member, signal.SIGKILL)
    psutil.wait_procs(family, timeout=5)
    for service in services:
        service.record.unlink(missing_ok=True)
    return list(running)


def is_taken(port: int) -> bool:
    """Return whether some program listens on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@contextlib.contextmanager
def watch(services: list[Service]) -> Iterator[None]:
    """A block in which the death of a service explains whatever error came of it.

    Raises:
        ServiceError: a service has ended by itself; its last words are in the message.
    """
    try:
        yield
    finally:
        dead = [service for service in services if not service.process()]
        if dead:
            raise ServiceError(f"{dead[0].name} has ended by itself; its log is {dead[0].log}.\n{dead[0].last_words()}")


def _service(deployment: Deployment, name: str, argv: tuple[str, ...], environment: dict[str, str]) -> Service:
    ports = {"airflow-api-server": deployment.airflow_port, "mlflow": deployment.mlflow_port}
    log, record = deployment.logs / f"{name}.log", deployment.home / "pid" / f"{name}.json"
    return Service(name, argv, environment, log, record, ports.get(name, 0))


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name) or name


def _descendants(process: "psutil.Process") -> "list[psutil.Process]":
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _signal(process: "psutil.Process", number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # psutil compares start times: a reused pid is not signaled
        process.send_signal(number)

"""The folders, ports and environments of the pipeline's two servers on this machine."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from pinsage.errors import SettingsError
from pinsage.settings.schema import Settings
from pinsage.store.atomic import replace_file
from tasks.standalone.login import Login, login_of, secret, write_secret

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Deployment:
    """The data folder and the two ports of the pipeline on this machine, and whether its pages ask who one is."""

    home: Path
    airflow_port: int = 8080
    mlflow_port: int = 5000
    asks_for_login: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Deployment":
        """The deployment that PINSAGE_HOME, PINSAGE_AIRFLOW_PORT, PINSAGE_MLFLOW_PORT and PINSAGE_LOGIN describe.

        Raises:
            SettingsError: a port is no port, or PINSAGE_LOGIN is neither `on` nor `off`.
        """
        home = Path(environ.get("PINSAGE_HOME") or ROOT / "var").absolute()
        airflow, mlflow = _port(environ, "PINSAGE_AIRFLOW_PORT", 8080), _port(environ, "PINSAGE_MLFLOW_PORT", 5000)
        login = environ.get("PINSAGE_LOGIN") or "on"
        if login not in ("on", "off"):
            raise SettingsError(f"PINSAGE_LOGIN is '{login}'. Give on, or off on a machine that nobody else uses.")
        return cls(home, airflow, mlflow, login == "on")

    @cached_property
    def login(self) -> Login:
        """The user of both servers, made at the first start."""
        return login_of(self.home)

    @property
    def airflow_url(self) -> str:
        """The address of Airflow."""
        return f"http://{LOOPBACK}:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """The address of MLflow."""
        return f"http://{LOOPBACK}:{self.mlflow_port}"

    @property
    def airflow_home(self) -> Path:
        """The folder of Airflow's database, configuration and task logs."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """The folder of the servers' logs."""
        return self.home / "log"

    @property
    def config(self) -> Path:
        """The settings of the last `make run`: what scheduled runs use and the trigger form starts from."""
        return self.home / "deployment.yaml"

    def write_config(self, settings: Settings) -> None:
        """Make `settings` the deployment's own."""
        text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
        if not self.config.is_file() or self.config.read_text(encoding="utf-8") != text:
            replace_file(self.config, text.encode())

    def server_environment(self) -> dict[str, str]:
        """The environment of both servers: ours, without what the shell says of some other Airflow or MLflow."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLFLOW"))}
        programs = str(Path(sys.executable).parent)
        return {
            **kept,
            **self._bytecode(kept),
            "PATH": os.pathsep.join([programs, kept.get("PATH", os.defpath)]),
            # The trigger form opens the tables of the one who logs in, and what `make run` was given.
            "PINSAGE_ALLOWED": kept.get("PINSAGE_ALLOWED", str(Path.home())),
            "PINSAGE_HOME": str(self.home),
            "PINSAGE_CONFIG": str(self.config),
            "PYTHONUNBUFFERED": "1",
        }

    def airflow_environment(self) -> dict[str, str]:
        """The environment of Airflow on SQLite and LocalExecutor: loopback only, one user."""
        return {
            **self.server_environment(),
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.airflow_port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secret(self.airflow_home / "jwt_secret"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(not self.asks_for_login),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.login.file),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{self.login.user.name}:admin",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.airflow_home}/airflow.db",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }

    def mlflow_environment(self) -> dict[str, str]:
        """The environment of MLflow without its job workers, its calls home and its pickles; one user, one folder."""
        folder = self.home / "mlflow"
        return {
            **self.server_environment(),
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.login.user.password,
            "MLFLOW_AUTH_ADMIN_USERNAME": self.login.user.name,
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secret(folder / "flask_secret"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PINSAGE_MLFLOW_FILES": str(folder / "artifacts"),
        }

    def write_mlflow_users(self) -> None:
        """Tell MLflow where its users are; those of an earlier password are forgotten."""
        folder = self.home / "mlflow"
        folder.mkdir(parents=True, exist_ok=True)
        if self.login.is_new:  # MLflow keeps the password that it was first started with
            (folder / "users.db").unlink(missing_ok=True)
        write_secret(
            folder / "auth.ini", f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/users.db\n"
        )

    def _bytecode(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Keep bytecode in the data folder if a shell forbids it beside the sources.

        A run is three dozen processes; without bytecode they spend more than half of their imports on compiling.
        """
        if not environ.get("PYTHONDONTWRITEBYTECODE"):
            return {}
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.home / "cache" / "bytecode")}


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingsError(f"{name} is '{text}', not a port. Give a number from 1 to 65535.")
    return int(text)

"""Versions of the registered model and the two names that point at them: challenger and champion."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pinsage.store.retention import Needs
from pinsage.tracking.server import Server
from pinsage.tracking.tracker import RUN_TAG

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel
    from mlflow.exceptions import MlflowException

log = logging.getLogger(__name__)

CHALLENGER = "challenger"
CHAMPION = "champion"
KEY_TAG = "pinsage.index_key"
MAX_TAG_LENGTH = 5000
_KEY = re.compile(r"pinsage\.(\w+)_key")

Package = Callable[[Path], None]


@dataclass(frozen=True)
class Version:
    """One version of the registered model: its number, and what was written down about it."""

    number: int
    tags: Mapping[str, str]


class Registry:
    """One registered model of an MLflow server."""

    def __init__(self, server: Server, model_name: str) -> None:
        self.server = server
        self.model_name = model_name

    def find_or_create(
        self, key: str, tags: Mapping[str, str], package: Package, *, mlflow_run_id: str, scratch: Path
    ) -> Version:
        """The one version that serves the index artifact `key`; made with `package(folder)` if there is none.

        Everything that decides what a version answers is in the key of its index artifact (weights, embeddings, trees),
        so neither a retry nor a run over unchanged data makes a second version. A new one belongs to an MLflow run. Its
        files lie below `scratch` on their way to MLflow.

        Raises:
            TrackingError: MLflow does not answer or refuses.
        """
        with self.server.clear_errors(), self.server.one_at_a_time():
            self._ensure_model()
            found = self._find(key)
            if found:
                return found
            model = self._log_model(key, package, mlflow_run_id, scratch)
            # The source is the model's place, not `models:/<id>`, which MLflow would look up in its global server.
            version = self.server.client.create_model_version(
                self.model_name,
                model.artifact_location,
                mlflow_run_id,
                tags={**tags, KEY_TAG: key},
                model_id=model.model_id,
            )
            found = self._find(key)
            if found and found.number != int(version.version):  # by a host that took over a lease we had slept through
                self._take_back(version, model, found)
                return found
            log.info("registered version %s of the model '%s'", version.version, self.model_name)
            return _version(version)

    def champion(self) -> Version | None:
        """The version that the alias `champion` points at; None if there is none."""
        from mlflow.exceptions import MlflowException

        with self.server.clear_errors():
            try:
                number = self.server.client.get_registered_model(self.model_name).aliases.get(CHAMPION)
            except MlflowException as error:
                if not _is_missing(error):
                    raise
                return None
        return self.version(int(number)) if number else None

    def version(self, number: int) -> Version | None:
        """The version of a number; None if there is none."""
        from mlflow.exceptions import MlflowException

        with self.server.clear_errors():
            try:
                return _version(self.server.client.get_model_version(self.model_name, str(number)))
            except MlflowException as error:
                if not _is_missing(error):
                    raise
                return None

    def point(self, alias: str, version: Version) -> None:
        """Let an alias point at a version, and at no other."""
        with self.server.clear_errors():
            self.server.client.set_registered_model_alias(self.model_name, alias, str(version.number))

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Write down facts about a version."""
        with self.server.clear_errors():
            for name, value in tags.items():
                text = value[:MAX_TAG_LENGTH]
                if version.tags.get(name) != text:
                    self.server.client.set_model_version_tag(self.model_name, str(version.number), name, text)

    def _take_back(self, version: "ModelVersion", model: "LoggedModel", standing: Version) -> None:
        """Delete a version that is one too many, and its model unless the other version stands on the same one."""
        client = self.server.client
        client.delete_model_version(self.model_name, version.version)
        if client.get_model_version(self.model_name, str(standing.number)).source != model.artifact_location:
            client.delete_logged_model(model.model_id)

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.server.client.create_registered_model(self.model_name)
        except MlflowException as error:
            if not _already_exists(error):
                raise

    def _find(self, key: str) -> Version | None:
        quoted = self.model_name.replace("'", "''")
        versions = self.server.client.search_model_versions(f"name = '{quoted}' and tags.`{KEY_TAG}` = '{key}'")
        return min(map(_version, versions), key=lambda version: version.number, default=None)

    def _log_model(self, key: str, package: Package, run_id: str, scratch: Path) -> "LoggedModel":
        """A complete model in the run's experiment; what a killed attempt left half-made is deleted."""
        client, experiment_id = self.server.client, self.server.experiment_id
        for model in client.search_logged_models([experiment_id], f"tags.`{KEY_TAG}` = '{key}'"):
            if model.status == "READY":
                return model
            # Left unfinished by an attempt that died: its files may be incomplete.
            client.delete_logged_model(model.model_id)
        model = client.create_logged_model(experiment_id, self.model_name, run_id, tags={KEY_TAG: key})
        # Not in the machine's temporary folder: as large as the catalog, a killed attempt would leave it there.
        with TemporaryDirectory(dir=scratch, prefix="model-") as folder:
            package(Path(folder) / "model")
            client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        return client.finalize_logged_model(model.model_id, "READY")


def aliased_needs(server: Server) -> Needs:
    """The artifacts that the versions with an alias were made of, and their runs; of every registered model.

    A version without an alias needs none of them: MLflow has a copy of its files. Of every model, because the last run
    over a data set may be gone and its champion still serve.

    Raises:
        TrackingError: MLflow does not answer or refuses.
    """
    with server.clear_errors():
        found = [(model.name, str(number)) for model in _models(server) for number in set(model.aliases.values())]
        tags = [server.client.get_model_version(*each).tags for each in found]
    keys = [(_KEY.fullmatch(name), key) for version in tags for name, key in version.items()]
    runs = frozenset(version[RUN_TAG] for version in tags if RUN_TAG in version)
    return Needs(frozenset((match[1], key) for match, key in keys if match), runs)


def _models(server: Server) -> Iterator["RegisteredModel"]:
    """Every registered model with its aliases, which a search leaves out."""
    token: str | None = None
    while token != "":
        page = server.client.search_registered_models(page_token=token)
        for model in page:
            yield server.client.get_registered_model(model.name)
        token = page.token or ""


def _version(version: "ModelVersion") -> Version:
    return Version(int(version.version), dict(version.tags))


def _is_missing(error: "MlflowException") -> bool:
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def _already_exists(error: "MlflowException") -> bool:
    return bool(error.error_code == "RESOURCE_ALREADY_EXISTS")

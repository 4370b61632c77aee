"""Files of runs and models that an MLflow server gives out: those below one folder.

Whoever may log in to a server may create an experiment whose files lie anywhere, and MLflow then reads there with the
rights of the server's owner. A server that is started with PINSAGE_MLFLOW_FILES opens no other folder. MLflow finds
this class by its entry point, for the scheme `file`; programs without the variable see no difference.
"""

import os
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

FILES = "PINSAGE_MLFLOW_FILES"


class OneFolder(LocalArtifactRepository):
    """The files of a run or a model, if they lie below the folder that the server gives out."""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        root = os.environ.get(FILES)
        # Links are followed first; MLflow lets none inside of a run's own folder lead out of that.
        if root and not Path(self.artifact_dir).resolve().is_relative_to(Path(root).resolve()):
            raise MlflowException.invalid_parameter_value(
                f"{artifact_uri} is outside of the folder whose files this server gives out. "
                "Create experiments without a location of their own."
            )


# A place may be written without a scheme, which no entry point can be named after.
_artifact_repository_registry.register("", OneFolder)  # type: ignore[no-untyped-call]

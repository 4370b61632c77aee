"""The arguments of a stage function."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pinsage.progress import LogMetrics, OnProgress, ignore_progress, log_nothing
from pinsage.settings.schema import Settings

_FOLDERS = ("out", "scratch", "home")


@dataclass(frozen=True)
class StageWork:
    """The work of one stage: read `inputs`, write files into `out`, return facts.

    `inputs` maps a stage name to the folder of its published artifact, if it has one. `out` is an empty folder that is
    published when the function returns. `scratch` is a folder of this key alone that survives a killed attempt
    (checkpoints). `log_metrics` sends the metrics of a training step to the experiment tracker, `on_progress` takes the
    progress of work on the cluster. `home` is the pipeline's data folder. `identity` is what the stage's identity
    function said. `fitted` maps a stage name to the folder of its artifact in the run whose model a refresh uses; it is
    empty in a run that trains.
    """

    settings: Settings
    inputs: Mapping[str, Path]
    out: Path
    scratch: Path
    home: Path
    run_id: str = ""
    log_metrics: LogMetrics = field(default=log_nothing)
    identity: Mapping[str, Any] = field(default_factory=dict)
    on_progress: OnProgress = field(default=ignore_progress)
    fitted: Mapping[str, Path] = field(default_factory=dict)

    def to_json(self) -> str:
        """The settings and folders, for processes that do the work together."""
        folders = {name: str(getattr(self, name)) for name in _FOLDERS}
        inputs = {stage: str(folder) for stage, folder in self.inputs.items()}
        # As the tree itself, not as overrides: read back, it is the same settings whatever the presets are by then.
        return json.dumps({"settings": self.settings.model_dump(mode="json"), "inputs": inputs, **folders})

    @classmethod
    def from_json(cls, text: str, *, log_metrics: LogMetrics, on_progress: OnProgress) -> "StageWork":
        """The work in the text that `to_json` made."""
        body = json.loads(text)
        inputs = {stage: Path(folder) for stage, folder in body["inputs"].items()}
        out, scratch, home = (Path(body[name]) for name in _FOLDERS)
        settings = Settings.model_validate(body["settings"])
        return cls(settings, inputs, out, scratch, home, log_metrics=log_metrics, on_progress=on_progress)

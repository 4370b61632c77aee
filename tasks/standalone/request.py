"""The request of a `make run`: a data set and settings, the demo's if none are named."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pinsage.settings.loading import load_settings, parse_override
from pinsage.settings.schema import Settings
from tasks.standalone.checks import check_dataset, check_preset
from tasks.standalone.deployment import ROOT

log = logging.getLogger(__name__)
DEMO_PRESET = ROOT / "conf" / "demo.yaml"


@dataclass(frozen=True)
class Request:
    """The arguments that the person typed; empty means the demo."""

    dataset: str = ""
    preset: str = ""
    overrides: Sequence[str] = field(default=())

    def settings(self, home: Path) -> Settings:
        """The settings of the run; the demo world is made first if it is asked for and not there.

        Raises:
            NotReadyError: the data set or the preset is not where it is said to be.
            SettingsError: a setting is unknown or out of bounds.
        """
        preset = check_preset(self.preset) if self.preset else None if self.dataset else DEMO_PRESET
        overrides = dict(parse_override(text) for text in self.overrides)
        load_settings(preset, overrides)  # a typing error should not wait for the demo to be made
        dataset = check_dataset(self.dataset) if self.dataset else str(_demo_world(home))
        return load_settings(preset, {"data.dataset": dataset, **overrides})


def _demo_world(home: Path) -> Path:
    folder = home / "demo"
    if not folder.is_dir():
        from pinsage.datasets.demo.world import write_demo

        log.info("making the demo world in %s", folder)
        write_demo(folder)
    return folder

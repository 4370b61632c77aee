"""The command `pinsage compare`: variants of the settings side by side, without Airflow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pinsage.errors import PinSageError, SettingsError
from pinsage.settings.loading import flat, load_settings, parse_override
from pinsage.settings.schema import Settings
from tasks.comparing.plan import LAST_STAGE, Comparison, needed_for, planned_runs
from tasks.comparing.summary import conclude, summarize
from tasks.running.local_run import ORIGIN, LocalRun


def comparison_asked(ladder: str, variants: Sequence[str], seeds: str) -> Comparison:
    """The comparison that options ask for: a ladder, `name: section.name=value ...` per variant, seeds with commas.

    Raises:
        SettingsError: a variant or the seeds cannot be read.
    """
    own: dict[str, dict[str, Any]] = {}
    for text in variants:
        name, colon, rest = text.partition(":")
        if not colon or not rest.split() or name in own:
            raise SettingsError(f"The variant {text!r} cannot be read. Write e.g. 'wide: model.hidden_dim=512', once.")
        own[name] = dict(parse_override(part) for part in rest.split())
    try:
        numbers = [int(part) for part in seeds.split(",") if part.strip()]
    except ValueError:
        raise SettingsError(f"The seeds {seeds!r} cannot be read. Write e.g. 0,1,2.") from None
    return Comparison(ladder, own, numbers)


def compare_here(comparison_id: str, asked: Comparison, settings: Settings, home: Path, console: Console) -> None:
    """Run every variant and seed in this process, one after the other, and print them side by side.

    A run that fails is named and the others go on.

    Raises:
        SettingsError: what is asked cannot be compared.
        PinSageError: the stages that all share cannot be done, or no run was evaluated.
    """
    shared = flat(settings)
    planned = planned_runs(comparison_id, asked, shared)
    # What all variants share is made before the first, so that none of them seems to take longer.
    stages = needed_for(LAST_STAGE)
    LocalRun(comparison_id, settings, home).perform(stages[: stages.index("train")], console)
    for each in planned:
        console.print(f"\n{each.label}", markup=False)
        found, origin = load_settings(None, {**shared, **each.overrides}), each.origin(comparison_id, ORIGIN)
        try:
            LocalRun(each.run_id, found, home, origin).perform(stages, console)
            conclude(each.run_id, home)
        except PinSageError as error:
            console.print(f"[red]failed[/]  {error}")
    facts = summarize(comparison_id, home, planned)
    if facts["mlflow_url"]:
        console.print(f"MLflow   {facts['mlflow_url']}", soft_wrap=True)

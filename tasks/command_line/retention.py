"""The command `pinsage store prune`: old runs, artifacts, scratch folders and releases go, what is needed stays."""

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.command_line.releases import HOME, Home
from tasks.command_line.terminal import log_to, stdout_console

if TYPE_CHECKING:
    from pinsage.release.releases import Releases
    from pinsage.store.deployment import Store
    from pinsage.store.retention import Needs, Removal
    from pinsage.store.run import Run

log = logging.getLogger(__name__)
store_app = typer.Typer(no_args_is_help=True, help="The store of a deployment.")


@store_app.callback()
def store() -> None:
    """Look after the store of a deployment."""  # a callback, so that the one command keeps its name


@store_app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go and why; remove nothing.")] = False,
    keep_days: Annotated[
        float, typer.Option(envvar="PINSAGE_KEEP_DAYS", min=0, max=36_500, help="Runs younger than this stay.")
    ] = 30.0,
    keep_runs: Annotated[
        int, typer.Option(envvar="PINSAGE_KEEP_RUNS", min=0, max=1_000_000, help="So many of the newest runs stay.")
    ] = 30,
    grace_hours: Annotated[
        float,
        typer.Option(
            envvar="PINSAGE_GRACE_HOURS",
            min=1,
            max=10_000,
            help="What was made or used since stays: longer than the longest stage runs.",
        ),
    ] = 48.0,
    home: Home = HOME,
) -> None:
    """Remove runs, artifacts, scratch folders and releases that are old and that nothing needs.

    Example: pinsage store prune --dry-run --home var
    """
    from pinsage.store.deployment import open_store
    from pinsage.store.pruning import plan
    from pinsage.store.pruning import prune as prune_store
    from pinsage.store.retention import Policy

    log_to(stdout_console())
    opened, policy, now = open_store(home.resolve()), Policy(keep_days, keep_runs, grace_hours), datetime.now(UTC)
    _prune_releases(opened, dry_run=dry_run)
    needs = needs_of_others(opened)
    if dry_run:
        removals = plan(opened, policy, needs, now).removals
        for removal in removals:
            _tell("would remove", removal)
        typer.echo(f"{len(removals)} would go from {opened.place}. Nothing was removed.")
        return
    removed: list[Removal] = []

    def on_removal(removal: "Removal") -> None:
        removed.append(removal)
        _tell("removed", removal)

    prune_store(opened, policy, needs, now, on_removal)
    typer.echo(f"{len(removed)} removed from {opened.place}.")


def needs_of_others(store: "Store") -> "Needs":
    """The artifacts and runs behind releases, the models with an alias, and all runs of a registry not to be asked."""
    from pinsage.errors import TrackingError
    from pinsage.release.releases import Releases
    from pinsage.store.retention import Needs
    from pinsage.tracking.registry import aliased_needs
    from pinsage.tracking.server import Server

    releases, (known, unreadable) = Releases(store), _runs(store)
    refs = {ref for version in releases.versions() for ref in _inputs(releases, version)}
    kept_runs = {*unreadable, *_runs_behind(releases, known)}
    for runs in _by_registry(store, known):
        tracking = runs[0].settings.tracking
        try:
            needed = aliased_needs(Server(tracking, store.home))
            refs |= needed.refs
            kept_runs |= needed.runs
        except TrackingError as error:
            log.warning("%s Its %d runs stay.", error, len(runs))
            kept_runs.update(run.run_id for run in runs)
    return Needs(frozenset(refs), frozenset(kept_runs))


def _runs(store: "Store") -> tuple[list["Run"], list[str]]:
    """The runs, the newest first, and the ids of those whose record this version of the code cannot read."""
    known, unreadable = store.runs.all()
    for run_id, error in unreadable.items():
        log.warning("Run %s stays: %s", run_id, error)
    return known, list(unreadable)


def _by_registry(store: "Store", runs: list["Run"]) -> list[list["Run"]]:
    """The runs that have registered a model, those of one MLflow server together."""
    found: dict[str, list[Run]] = {}
    records = set(store.bucket("runs").names())
    for run in runs:
        if f"{run.run_id}/promote.json" in records:
            found.setdefault(run.settings.tracking.uri, []).append(run)
    return list(found.values())


def _runs_behind(releases: "Releases", runs: list["Run"]) -> set[str]:
    """The runs that made the releases, and those that trained their models: a refresh begins with them."""
    from pinsage.errors import ArtifactDamagedError

    found = set()
    for version in releases.versions():
        with suppress(ArtifactDamagedError):  # `_inputs` has warned of it
            found.add(str(releases.manifest(version).facts["run_id"]))
    return found | {run.model_run for run in runs if run.run_id in found and run.model_run}


def _inputs(releases: "Releases", version: str) -> list[tuple[str, str]]:
    from pinsage.errors import ArtifactDamagedError

    try:
        return list(releases.manifest(version).inputs.items())
    except ArtifactDamagedError as error:
        log.warning("%s What it was made of is not known.", error)
        return []


def _prune_releases(store: "Store", *, dry_run: bool) -> None:
    """Remove the releases beyond `release.keep` of the newest run, which `release` does too when it makes one."""
    from pinsage.errors import ArtifactMissingError
    from pinsage.release.releases import Releases

    (runs, _), releases = _runs(store), Releases(store)
    if not runs:
        return
    keep = runs[0].settings.release.keep
    try:
        gone = releases.surplus(keep) if dry_run else releases.prune(keep)
    except ArtifactMissingError:  # nothing has been released
        return
    for version in gone:
        typer.echo(f"{'would remove' if dry_run else 'removed'} release {version}: the newest {keep} stay")


def _tell(verb: str, removal: "Removal") -> None:
    typer.echo(f"{verb} {removal.kind} {removal.name}: {removal.why}")

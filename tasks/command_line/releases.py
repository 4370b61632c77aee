"""The commands `pinsage release`: what there is, whether it is sound, what changed, and back to an earlier one."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.command_line.terminal import stdout_console

if TYPE_CHECKING:
    from rich.table import Table

    from pinsage.release.releases import Releases

release_app = typer.Typer(no_args_is_help=True, help="The releases that a serving team takes.")

Home = Annotated[Path, typer.Option("--home", envvar="PINSAGE_HOME", help="Data folder: artifacts, runs, MLflow.")]
Version = Annotated[str, typer.Argument(metavar="[VERSION]", help="A release; see `pinsage release list`.")]
HOME = Path("var")


@release_app.command("list")
def list_releases(home: Home = HOME) -> None:
    """List the releases, the newest first; the current one is marked.

    Example: pinsage release list --home var
    """
    from rich.table import Table
    from rich.text import Text

    from pinsage.errors import ArtifactDamagedError, ArtifactMissingError

    releases = _releases(home)
    try:
        current = releases.current().version
    except ArtifactMissingError:
        current = ""
    table = Table("", "release", "model", "pins", "search", "recall@10", "why")
    for version in releases.versions():
        mark = "current" if version == current else ""
        try:
            facts = releases.manifest(version).facts
        except ArtifactDamagedError as error:
            table.add_row(mark, version, "", "", "", "", Text(f"damaged: {error}"))
            continue
        names = ("model_version", "pins", "search", "recall_at_10", "decision")
        table.add_row(mark, version, *(Text(str(facts.get(name, ""))) for name in names))
    stdout_console().print(table)


@release_app.command()
def verify(version: Version = "", home: Home = HOME) -> None:
    """Check every byte of a release, the current one by default, and open it.

    Example: pinsage release verify --home var
    """
    releases = _releases(home)
    version = version or releases.current().version
    manifest = releases.verify(version)
    release = releases.open(version)
    size_mb = sum(entry.size_bytes for entry in manifest.files) / 1e6
    related = release.related(release.pin_ids.pin_id(0), 1)
    typer.echo(
        f"{version} is sound: {len(manifest.files)} files, {size_mb:.1f} MB, {len(release.pin_ids):,} pins of size "
        f"{manifest.facts['dim']}; pin {release.pin_ids.pin_id(0)} goes with {', '.join(related.pin_ids) or 'none'}."
    )


@release_app.command()
def diff(
    older: Annotated[str, typer.Argument(help="The release before.")],
    newer: Version = "",
    home: Home = HOME,
) -> None:
    """Show what changed from one release to another, the current one by default.

    Example: pinsage release diff 20261125T190312Z-v3-1a2b3c4d --home var
    """
    from pinsage.release.difference import difference

    releases = _releases(home)
    newer = newer or releases.current().version
    both = [(releases.open(version), releases.folder(version)) for version in (older, newer)]
    found, console = difference(*both), stdout_console()
    console.print(f"{older} -> {newer}")
    console.print(_count_and_examples("pins added", found.num_added, found.added), markup=False)
    console.print(_count_and_examples("pins removed", found.num_removed, found.removed), markup=False)
    if found.kept_neighbors is not None:
        console.print(f"of the first ten related pins of a pin {found.kept_neighbors:.0%} stayed the same")
    for title, values in (("figure", found.figures), ("setting", found.settings), ("fact", found.facts)):
        if values:
            console.print(_changes(title, values))


@release_app.command()
def rollback(version: Version = "", home: Home = HOME) -> None:
    """Let an earlier release serve, the one before by default, after verifying it; servers follow within a second.

    Example: pinsage release rollback --home var
    """
    pointer = _releases(home).roll_back(version)
    typer.echo(
        f"CURRENT names {pointer.version} since {pointer.since[:19]}Z. Withdrawn: {', '.join(pointer.withdrawn)}."
    )


def _releases(home: Path) -> "Releases":
    from pinsage.release.releases import Releases
    from pinsage.store.deployment import open_store

    return Releases(open_store(home.resolve()))


def _count_and_examples(what: str, count: int, examples: Iterable[str]) -> str:
    shown = ", ".join(examples)
    return f"{what}: {count:,}" + (f" ({shown}{', …' if count > len(shown.split(', ')) else ''})" if shown else "")


def _changes(title: str, values: Mapping[str, tuple[Any, Any]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title, "before", "after")
    for name, (before, after) in values.items():
        table.add_row(Text(name), *(Text("–" if value is None else str(value)) for value in (before, after)))
    return table

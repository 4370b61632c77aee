"""The commands `pinsage champion`: which version is champion, what was decided and why, and decisions of a person."""

import getpass
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.command_line.releases import HOME, Home
from tasks.command_line.terminal import stdout_console

if TYPE_CHECKING:
    from pinsage.promotion.decisions import Decision
    from pinsage.store.run import Run
    from pinsage.tracking.registry import Registry

champion_app = typer.Typer(no_args_is_help=True, help="The champion of a data set, and every decision on it.")

Model = Annotated[
    str,
    typer.Option("--model", help="Registered model; the one that was decided on last by default.", show_default=False),
]
Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Number of a version of the registered model.")]
Note = Annotated[str, typer.Option(help="Why; recorded with the answer.")]


@champion_app.command()
def show(home: Home = HOME) -> None:
    """Show the champion of each data set, as MLflow has it, and the decision that made it champion.

    Example: pinsage champion show --home var
    """
    from rich.table import Table
    from rich.text import Text

    from pinsage.errors import TrackingError
    from pinsage.store.deployment import open_store

    home, table = home.resolve(), Table("model", "champion", "since", "decision", "why")
    runs = open_store(home).runs.all()[0]
    for model in _models(home):
        try:
            champion = _registry(model, runs, home).champion()
            number = champion.number if champion else None
            shown = "none" if number is None else str(number)
        except TrackingError as error:
            typer.echo(str(error), err=True)
            number, shown = None, "?"
        made = next((one for one in reversed(_history(model, home)) if one.promotes and one.version == number), None)
        words = (_minute(made), made.kind, made.reason) if made else ("", "", "")
        table.add_row(Text(model), shown, *map(Text, words))
    stdout_console().print(table)


@champion_app.command()
def history(model: Model = "", home: Home = HOME) -> None:
    """List every decision on a registered model, the newest first.

    Example: pinsage champion history --home var
    """
    from rich.table import Table
    from rich.text import Text

    home = home.resolve()
    model = model or _models(home)[0]
    table = Table(
        "when", "decision", "version", "champion", "failed", "by", "why", title=Text(model), title_justify="left"
    )
    for decision in reversed(_history(model, home)):
        table.add_row(*map(Text, _row(decision)))
    stdout_console().print(table)


@champion_app.command()
def why(version: Number, model: Model = "", home: Home = HOME) -> None:
    """Show every decision on a version with all of its checks: value, limit and verdict.

    Example: pinsage champion why 3 --home var
    """
    from pinsage.errors import InputError

    home = home.resolve()
    model = model or _models(home)[0]
    found = [decision for decision in _history(model, home) if version in (decision.version, _taken_back(decision))]
    if not found:
        raise InputError(f"Nothing was decided on version {version} of {model}. See `pinsage champion history`.")
    for decision in found:
        _print_decision(decision)


@champion_app.command()
def approve(version: Number, note: Note = "", model: Model = "", home: Home = HOME) -> None:
    """Let a version that waits for an approval go live, and release it (`promote.require_approval`).

    Example: pinsage champion approve 3 --note "Looked at the explorer."
    """
    _answer(version, model, home.resolve(), approves=True, note=note)


@champion_app.command()
def reject(version: Number, note: Note = "", model: Model = "", home: Home = HOME) -> None:
    """Refuse a version that waits for an approval: it is not released.

    Example: pinsage champion reject 3 --note "Cats among the recipes."
    """
    _answer(version, model, home.resolve(), approves=False, note=note)


@champion_app.command()
def rollback(
    version: Number,
    reason: Annotated[str, typer.Option(help="Recorded with the decision.")],
    model: Model = "",
    home: Home = HOME,
) -> None:
    """Make an earlier version champion again, and let its release serve; servers follow within a second.

    Example: pinsage champion rollback 2 --reason "Version 3 shows sold-out pins."
    """
    from pinsage.errors import InputError
    from pinsage.release.contents import ModelVersion
    from pinsage.store.deployment import open_store
    from tasks.promoting.rollback import roll_back

    if not reason.strip():
        raise InputError('A rollback needs a reason: --reason "Version 3 shows sold-out pins."')
    home = home.resolve()
    asked = ModelVersion(model or _models(home)[0], version)
    registry = _registry(asked.name, open_store(home).runs.all()[0], home)
    done = roll_back(asked, registry, home, reason=reason.strip(), by=getpass.getuser())
    typer.echo(f"{asked} is champion again, version {done.decision.champion} was before.")
    if done.release:
        typer.echo(f"CURRENT names {done.release}.")
    else:
        typer.echo(
            "CURRENT is left as it was: no release of that version is left, or another one serves. "
            "`pinsage release list` shows which, and `pinsage release rollback` moves it."
        )


def _answer(version: int, model: str, home: Path, *, approves: bool, note: str) -> None:
    """Record an answer, then do what the run left undone: a task of Airflow that still waits finds it done."""
    from pinsage.release.contents import ModelVersion
    from pinsage.store.deployment import open_store
    from tasks.promoting.approval import answer
    from tasks.promoting.rescoring import run_of
    from tasks.running.local_run import LocalRun

    asked = ModelVersion(model or _models(home)[0], version)
    registry = _registry(asked.name, open_store(home).runs.all()[0], home)
    decision = answer(asked, registry, home, approves=approves, by=getpass.getuser(), note=note)
    typer.echo(f"{asked}: {decision.reason}")
    found = registry.version(version)
    if found and decision.promotes:
        run = run_of(found, home)
        [_, released] = LocalRun(run.run_id, run.settings, home).perform(["approve", "release"], stdout_console())
        typer.echo(str(released.facts["reason"]))


def _models(home: Path) -> list[str]:
    """The registered models that were decided on, the newest decision first."""
    from pinsage.errors import InputError
    from tasks.promoting.record import open_decisions

    if models := open_decisions(home).models():
        return models
    raise InputError(
        f"No champion has been decided on in {home} yet. A run that comes to its end does that: pinsage run."
    )


def _history(model: str, home: Path) -> "list[Decision]":
    from pinsage.errors import InputError
    from tasks.promoting.record import open_decisions

    if found := open_decisions(home).history(model):
        return found
    raise InputError(f"Nothing was decided on a model '{model}'. There are decisions on: {', '.join(_models(home))}.")


def _registry(model: str, runs: "Sequence[Run]", home: Path) -> "Registry":
    """The registered model on the MLflow server of the newest of the runs that could have registered it."""
    from pinsage.settings.schema import TrackingSettings
    from pinsage.tracking.names import registered_model
    from pinsage.tracking.registry import Registry
    from pinsage.tracking.server import Server

    asked = (run.settings for run in runs)
    tracking = next((found.tracking for found in asked if registered_model(found) == model), TrackingSettings())
    return Registry(Server(tracking, home), model)


def _taken_back(decision: "Decision") -> int | None:
    return decision.champion if decision.kind == "rollback" else None


def _minute(decision: "Decision") -> str:
    return f"{datetime.fromisoformat(decision.at):%Y-%m-%d %H:%M} UTC"


def _row(decision: "Decision") -> Sequence[str]:
    failed = ", ".join(check.name for check in decision.checks if not check.passed)
    champion = "none" if decision.champion is None else str(decision.champion)
    return _minute(decision), decision.kind, str(decision.version), champion, failed, decision.by, decision.reason


def _print_decision(decision: "Decision") -> None:
    from rich.table import Table
    from rich.text import Text

    console, before = stdout_console(), "no champion" if decision.champion is None else f"champion {decision.champion}"
    title = f"{_minute(decision)}  {decision.kind}: version {decision.version} of {decision.model}, before it {before}"
    console.print(Text(f"{title}; by {decision.by}\n{decision.reason}"), soft_wrap=True)
    if not decision.checks:
        return
    table = Table("check", "verdict", "value", "limit", "in words")
    for check in decision.checks:
        verdict = Text("passed") if check.passed else Text("failed", style="bold red")
        figures = ("–" if value is None else f"{value:.4g}" for value in (check.value, check.limit))
        table.add_row(check.name, verdict, *figures, Text(check.sentence))
    console.print(table)

"""The command `pinsage`: the pipeline, its runs and its settings, without Airflow.

Heavy things are imported inside the commands, so that `pinsage --help` answers at once.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from pinsage.errors import SettingsError
from pinsage.settings.loading import named_settings
from pinsage.store.deployment import open_store
from tasks.command_line.champion import champion_app
from tasks.command_line.config import Dataset, Overrides, Preset, chosen_overrides, chosen_settings, config_app
from tasks.command_line.releases import HOME, Home, release_app
from tasks.command_line.retention import store_app
from tasks.command_line.terminal import OneLineErrors, stdout_console
from tasks.stages import REFRESH_STAGES, STAGES

app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="PinSage: learn which pins go together, run by run.",
)
import_app = typer.Typer(no_args_is_help=True, help="Public data sets as pins, boards and saves.")
app.add_typer(config_app, name="config")
app.add_typer(champion_app, name="champion")
app.add_typer(release_app, name="release")
app.add_typer(store_app, name="store")
app.add_typer(import_app, name="import")

RunId = Annotated[str, typer.Option("--run", "--run-id", metavar="RUN_ID", help="The run; see `pinsage runs`.")]
AIRFLOW = "http://127.0.0.1:8080"


@app.command()
def run(
    dataset: Dataset = "", preset: Preset = None, overrides: Overrides = None, run_id: RunId = "", home: Home = HOME
) -> None:
    """Run all stages in this process; what was made before from the same input is reused.

    Example: pinsage run --dataset var/demo --preset conf/demo.yaml --set train.steps=200
    """
    settings = chosen_settings(preset, overrides, dataset)
    if not settings.data.dataset:
        raise SettingsError("No data set is named. Give --dataset DIR, or make one with `pinsage demo-data DIR`.")
    from tasks.command_line.summary import print_summary
    from tasks.running.local_run import LocalRun

    console, home, run_id = stdout_console(), home.resolve(), run_id or _new_run_id()
    console.print(f"run {run_id} in {open_store(home).place}")
    LocalRun(run_id, settings, home).perform(list(STAGES), console)
    print_summary(home, run_id, console)


@app.command()
def compare(
    dataset: Dataset = "",
    ladder: Annotated[str, typer.Option(help="Variants that come with PinSage; empty: your own alone.")] = "levers",
    variant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME: SETTING=VALUE ...", help="A variant of your own; may be given again."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Of the training and the walks.")] = "0,1,2",
    preset: Preset = None,
    overrides: Overrides = None,
    run_id: RunId = "",
    home: Home = HOME,
) -> None:
    """Train variants of the settings from several seeds each, and put them side by side.

    Example: pinsage compare --dataset var/demo --ladder "table 4" --variant "wide: model.hidden_dim=512" --seeds 0,1
    """
    settings = chosen_settings(preset, overrides, dataset)
    if not settings.data.dataset:
        raise SettingsError("No data set is named. Give --dataset DIR, or make one with `pinsage demo-data DIR`.")
    from tasks.command_line.compare import compare_here, comparison_asked

    asked = comparison_asked(ladder, variant or [], seeds)
    compare_here(run_id or _new_run_id(), asked, settings, home.resolve(), stdout_console())


@app.command()
def refresh(dataset: Dataset = "", overrides: Overrides = None, run_id: RunId = "", home: Home = HOME) -> None:
    """Take the model that serves to the newest tables, without training, and release what comes out.

    Settings are those of the run that trained the model; data.*, index.*, refresh.* and release.* may be set.

    Example: pinsage refresh --dataset var/demo --set refresh.max_churn=0.5
    """
    from tasks.command_line.summary import print_refresh
    from tasks.running.local_run import ORIGIN, LocalRun
    from tasks.running.refresh import open_refresh

    console, home = stdout_console(), home.resolve()
    found = open_refresh(run_id or _new_run_id(), home, chosen_overrides(overrides, dataset), ORIGIN)
    console.print(f"run {found.run_id} in {open_store(home).place}, with the model of run {found.model_run}")
    LocalRun(found.run_id, found.settings, home).perform(list(REFRESH_STAGES), console)
    print_refresh(home, found.run_id, console)


@app.command()
def trigger(
    dataset: Dataset = "",
    preset: Preset = None,
    overrides: Overrides = None,
    url: Annotated[str, typer.Option(envvar="PINSAGE_AIRFLOW_URL", help="Address of Airflow.")] = AIRFLOW,
    user: Annotated[
        str, typer.Option(envvar="PINSAGE_AIRFLOW_USER", help="Who starts the run; empty: as `make run`.")
    ] = "",
    password: Annotated[
        str, typer.Option(envvar="PINSAGE_AIRFLOW_PASSWORD", help="Better given as the variable.", show_default=False)
    ] = "",
    pages: Annotated[
        str, typer.Option(envvar="PINSAGE_AIRFLOW_PAGES", help="Address of its pages, where it is another for you.")
    ] = "",
) -> None:
    """Run the DAG on an Airflow that is up, here or elsewhere, and follow it; settings not named are its own.

    Example: pinsage trigger --dataset s3://pins/tables --url http://127.0.0.1:8080 --user operator
    """
    from tasks.following.airflow_api import DAG_ID, AirflowApi, User
    from tasks.following.remote_run import RemoteRun
    from tasks.standalone.login import login_at

    asking = User(user, password) if user else login_at(url, HOME.resolve())
    api = AirflowApi(url.rstrip("/"), DAG_ID, asking, pages=pages)
    RemoteRun(api, named_settings(chosen_settings(preset, overrides, dataset)), stdout_console()).perform()


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(STAGES)}.")],
    run_id: RunId = "",
    home: Home = HOME,
) -> None:
    """Run one stage again in a run that exists, the newest by default, with the settings of that run.

    Example: pinsage stage report --run cli-20261124T014321-5f3a
    """
    if name not in {**STAGES, **REFRESH_STAGES}:
        raise SettingsError(f"'{name}' is not a stage. The stages are: {', '.join(STAGES)}.")
    from tasks.command_line.related import latest_with
    from tasks.running.local_run import LocalRun

    home = home.resolve()
    store = open_store(home)
    found = store.runs.open(run_id) if run_id else latest_with(store, "ingest")
    console = stdout_console()
    [result] = LocalRun(found.run_id, found.settings, home).perform([name], console)
    for fact, value in result.facts.items():
        console.print(f"{fact}: {value}", markup=False)


@app.command()
def related(
    pin_id: Annotated[str, typer.Argument(help="The pin to start from, in the data owner's words.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many pins.")] = 10,
    run_id: RunId = "",
    home: Home = HOME,
) -> None:
    """Show which pins go with a pin, by the index of a run, the newest by default.

    Example: pinsage related 1 -k 5
    """
    from rich.table import Table
    from rich.text import Text

    from tasks.command_line.related import related_pins

    answer = related_pins(home.resolve(), pin_id, k, run_id=run_id)
    table = Table("rank", "score", "pin_id", "title", title=Text(f"{answer.title}  (run {answer.run_id})"))
    for row in answer.related:
        table.add_row(str(row.rank), f"{row.score:.4f}", Text(row.pin_id), Text(row.title))
    stdout_console().print(table)


@app.command()
def runs(home: Home = HOME) -> None:
    """List the runs, the newest first: data set, stages done, hit rate at 10 of PinSage on the test pairs.

    Example: pinsage runs --home var
    """
    from tasks.command_line.listing import list_runs

    list_runs(open_store(home.resolve()).runs, stdout_console())


@app.command("demo-data")
def demo_data(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    pins: Annotated[int, typer.Option(help="How many pins.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
) -> None:
    """Write the demo world: drawn pictures, captions with ambiguous words, boards, saves and engagements.

    Example: pinsage demo-data var/demo --pins 2000 --seed 1
    """
    from pinsage.datasets.demo.world import write_demo

    facts = write_demo(folder, num_pins=pins, seed=seed)
    typer.echo(f"{folder}: {facts.pins} pins, {facts.boards} boards, {facts.saves} saves")


@import_app.command()
def movielens(
    source: Annotated[Path, typer.Argument(help="The unpacked MovieLens folder.")],
    target: Annotated[Path, typer.Argument(help="A new folder for the tables.")],
    posters: Annotated[Path | None, typer.Option(help="Folder with pictures named <movieId>.jpg.")] = None,
) -> None:
    """Read a public MovieLens folder: a movie is a pin, a user is a board, a rating is a save.

    Example: pinsage import movielens ml-latest-small var/movielens --posters posters
    """
    from pinsage.datasets.movielens import import_movielens

    facts = import_movielens(source, target, posters=posters)
    typer.echo(f"{target}: {facts.pins} pins, {facts.boards} boards, {facts.saves} saves, {facts.pictures} pictures")


def _new_run_id() -> str:
    return f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:4]}"


if __name__ == "__main__":
    app()

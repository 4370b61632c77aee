"""The commands `pinsage config`, and the settings that any command is given: a preset, single ones, a data set."""

from pathlib import Path
from typing import Annotated

import typer

from pinsage.errors import SettingsError
from pinsage.settings.loading import Flat, load_settings, parse_override
from pinsage.settings.schema import Settings
from tasks.command_line.releases import HOME
from tasks.command_line.terminal import stdout_console
from tasks.running.allowed_places import check_places

config_app = typer.Typer(no_args_is_help=True, help="The settings of a run.")

Dataset = Annotated[str, typer.Option(help="Folder or URL with pins, boards and saves Parquet tables.")]
Preset = Annotated[Path | None, typer.Option(help="YAML file of settings, e.g. conf/demo.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting; may be given again.")
]


@config_app.command()
def show(dataset: Dataset = "", preset: Preset = None, overrides: Overrides = None) -> None:
    """Print the settings as YAML: a preset, then single settings on top.

    Example: pinsage config show --preset conf/demo.yaml --set train.steps=200
    """
    import yaml

    tree = chosen_settings(preset, overrides, dataset).model_dump(mode="json")
    typer.echo(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), nl=False)


@config_app.command()
def validate(dataset: Dataset = "", preset: Preset = None, overrides: Overrides = None) -> None:
    """Check settings without running anything, and name those that differ from the defaults.

    Example: pinsage config validate --preset conf/demo.yaml
    """
    from pinsage.settings.loading import flat

    chosen, defaults = flat(chosen_settings(preset, overrides, dataset)), flat(Settings())
    for name, value in chosen.items():
        if value != defaults[name]:
            typer.echo(f"{name}: {value} (default {defaults[name]})")
    typer.echo("The settings are valid.")


@config_app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/configuration.md.")] = False,
) -> None:
    """List every setting with type, default, bounds and meaning.

    Example: pinsage config schema --markdown > docs/configuration.md
    """
    from rich.table import Table
    from rich.text import Text

    from tasks.command_line.config_reference import markdown_page, section_meaning, setting_rows

    if markdown:
        typer.echo(markdown_page(), nl=False)
        return
    console = stdout_console()
    for section in Settings.model_fields:
        title = Text(f"{section}: {section_meaning(section)}")
        table = Table("setting", "type", "default", "bounds", "meaning", title=title, title_justify="left")
        for row in setting_rows(section):
            table.add_row(*map(Text, (row.name, row.type, row.default, row.bounds.replace("`", ""), row.meaning)))
        console.print(table)


def chosen_settings(preset: Path | None, overrides: list[str] | None, dataset: str) -> Settings:
    """The preset, then the single settings, then the data set."""
    settings = load_settings(preset, chosen_overrides(overrides, dataset))
    check_places(settings, HOME.resolve())
    return settings


def chosen_overrides(overrides: list[str] | None, dataset: str) -> Flat:
    """The single settings and the data set, which is made absolute because runs remember it.

    Raises:
        SettingsError: a setting cannot be read, or the data set is named twice.
    """
    chosen = dict(parse_override(text) for text in overrides or [])
    if dataset and "data.dataset" in chosen:
        raise SettingsError("The data set is named by --dataset and by --set data.dataset. Name it once.")
    if dataset:
        chosen["data.dataset"] = dataset if "://" in dataset else str(Path(dataset).resolve())
    return chosen

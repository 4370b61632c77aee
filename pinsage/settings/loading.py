"""From a preset, a file and `section.name=value` overrides to one validated settings tree."""

import reprlib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pinsage.errors import SettingsError
from pinsage.settings.schema import Settings
from pinsage.settings.section import Section
from pinsage.settings.yaml_file import read_yaml, yaml_value

Flat = dict[str, Any]
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 100


def load_settings(path: Path | str | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a YAML file (or the defaults), with flat `section.name` overrides on top.

    Raises:
        SettingsError: the file is missing or is no mapping, or a name is unknown, or a value is out of bounds.
    """
    tree = read_yaml(Path(path)) if path else {}
    for name, value in (overrides or {}).items():
        section, dot, field = name.partition(".")
        if not dot or section not in Settings.model_fields:
            raise SettingsError(
                f"{_shorten(name)} is not a setting{_guess(name, _names())}. Names look like 'walk.num_walks'; see "
                "`pinsage config show`."
            )
        tree[section] = {**(tree.get(section) or {}), field: value}
    return validate(tree)


def recorded_settings(tree: Mapping[str, Any]) -> Settings:
    """The settings that a version of this code wrote down, perhaps an earlier one, as a nested mapping.

    A record names every setting. Those that are gone since are passed over: nothing reads them any more.

    Raises:
        SettingsError: a value is out of today's bounds.
    """
    return validate(
        {section: _known(section, fields) for section, fields in tree.items() if section in Settings.model_fields}
    )


def load_recorded(path: Path) -> Settings:
    """The settings that `save_settings` wrote, in this version of the code or an earlier one.

    Raises:
        SettingsError: see `load_settings` and `recorded_settings`.
    """
    return recorded_settings(read_yaml(path))


def save_settings(settings: Settings, path: Path) -> None:
    """Write all settings as a file that `load_settings` reads, and `load_recorded` in later versions."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def presets() -> dict[str, Settings]:
    """The presets that come with the code, by name; none where the package is installed without them."""
    folder = Path(__file__).parents[2] / "conf"
    return {path.stem: load_settings(path) for path in sorted(folder.glob("*.yaml"))}


def validate(tree: Mapping[str, Any]) -> Settings:
    """The settings of a nested mapping.

    Raises:
        SettingsError: names every offending setting, its value and what is allowed.
    """
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def flat(settings: Settings) -> Flat:
    """Every setting as `section.name` with plain JSON values, in the order of the tree."""
    tree = settings.model_dump(mode="json")
    return {f"{section}.{name}": value for section, fields in tree.items() for name, value in fields.items()}


def named_settings(settings: Settings) -> Flat:
    """Only the settings that a preset or an override named, as `section.name` with plain JSON values."""
    return {
        f"{section}.{name}": value
        for section in settings.model_fields_set
        for name, value in getattr(settings, section).model_dump(mode="json", exclude_unset=True).items()
    }


def parse_override(text: str) -> tuple[str, Any]:
    """The name and the value of `section.name=value`, where value is read as YAML (so `[10, 50]` is a list).

    Raises:
        SettingsError: there is no '=' or the value is no YAML.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"'{text}' has no '='. Write a setting as section.name=value, e.g. walk.num_walks=200.")
    try:
        return name.strip(), yaml_value(value)
    except ValueError as error:
        raise SettingsError(
            f"The value of {_shorten(text)} cannot be read ({error}). Quote it if it holds ':' or '['."
        ) from None


def section_of(name: str) -> type[Section]:
    """The class of the section called `name`, e.g. 'walk' -> WalkSettings."""
    annotation = Settings.model_fields[name].annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Section)):
        raise SettingsError(f"'{name}' is not a section of the settings.")
    return annotation


def _known(section: str, fields: Any) -> Any:
    """The fields of a section that it still has."""
    if not isinstance(fields, Mapping):
        return fields  # which `validate` refuses
    return {name: value for name, value in fields.items() if name in section_of(section).model_fields}


def _sentence(error: ValidationError) -> str:
    problems = [_problem(".".join(str(part) for part in item["loc"]), item) for item in error.errors()]
    return "; ".join(problems) + ". `pinsage config schema` lists every setting and its bounds."


def _problem(name: str, item: Any) -> str:
    known = _names() if "." in name else list(Settings.model_fields)
    guess = _guess(name, known) if item["type"] == "extra_forbidden" else ""
    return f"{name} = {_shorten(item['input'])}: {item['msg']}{guess}"


def _guess(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:100], known, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _names() -> list[str]:
    return [f"{section}.{name}" for section in Settings.model_fields for name in section_of(section).model_fields]


def _shorten(value: Any) -> str:
    """A value in a sentence: shortened, because a file may nest or repeat it without end, and printable."""
    try:
        return _SHOWN.repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"

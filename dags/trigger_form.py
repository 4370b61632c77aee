"""The trigger form: every setting of the pipeline as an Airflow Param."""

import re
from typing import Any

from airflow.sdk import Param

from pinsage.settings.loading import flat, section_of
from pinsage.settings.schema import DataSettings, Settings

# What people change most comes first, in the part of the form that is open; the others are below, folded by section.
WANTED = (
    "data.dataset", "data.as_of", "train.epochs", "train.batch_size", "train.learning_rate",
    "walk.num_neighbors", "model.num_layers", "evaluate.methods",
)  # fmt: skip
# On the form of a refresh; what the model was trained with decides the rest.
REFRESHED = ("data.dataset", "data.as_of", "refresh.max_churn", "refresh.held_out_saves")
SECTIONS = tuple(Settings.model_fields)  # the params of a comparison are no settings
_SOURCE = re.compile(r" \((?:PinSage|Pixie)[^)]*\)")  # for readers of the code, not of the form


def trigger_form(defaults: Settings) -> dict[str, Param]:
    """One Param per setting, called `section.name`, with its help, bounds and choices: first what is wanted most.

    Args:
        defaults: what the form starts from, and what a scheduled run uses.
    """
    values = flat(defaults)
    params = {name: param for section in Settings.model_fields for name, param in _params(section, values)}
    return {name: params[name] for name in (*WANTED, *(name for name in params if name not in WANTED))}


def refresh_form(defaults: Settings) -> dict[str, Param]:
    """The Params of a refresh. The data set is empty, which is that of the training, whatever a preset says."""
    params = trigger_form(defaults.model_copy(update={"data": DataSettings()}))
    return {name: params[name] for name in REFRESHED}


def chosen(params: dict[str, Any]) -> dict[str, Any]:
    """The settings that a run's params ask for: an emptied field of the form falls back to the code's default."""
    return {name: value for name, value in params.items() if value is not None and name.partition(".")[0] in SECTIONS}


def _params(section: str, values: dict[str, Any]) -> list[tuple[str, Param]]:
    fields = section_of(section).model_json_schema()
    title = _SOURCE.sub("", f"{section}: {fields['description']}")
    named = {f"{section}.{name}": spec for name, spec in fields["properties"].items()}
    return [(name, _param(values[name], None if name in WANTED else title, spec)) for name, spec in named.items()]


def _param(value: Any, section: str | None, spec: dict[str, Any]) -> Param:
    schema = {name: field for name, field in _one_type(spec).items() if name not in ("description", "execution")}
    is_optional_text = schema.pop("default", None) == "" and schema["type"] == "string"
    if is_optional_text:
        schema["type"] = ["string", "null"]  # else the form insists on an address or a file where none is needed
        value = value or None
    help_text = " ".join(part for part in (spec["description"], _bounds(spec)) if part)
    schema["title"] = spec["title"].replace("Num ", "Number of ").capitalize()
    if section:
        schema["section"] = section
    return Param(value, description=help_text, **schema)


def _bounds(spec: dict[str, Any]) -> str:
    """The bounds of a number in words, since the form shows them only once they are broken."""
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "below"}
    bounds = [f"{word} {spec[name]:,}" for name, word in words.items() if name in spec]
    return f"({', '.join(bounds)})" if bounds else ""


def _one_type(spec: dict[str, Any]) -> dict[str, Any]:
    """Pydantic's `anyOf` as one schema with two types, which is what the form understands; it knows no constants."""
    if "anyOf" not in spec:
        return dict(spec)
    merged: dict[str, Any] = {name: value for name, value in spec.items() if name != "anyOf"}
    for choice in spec["anyOf"]:
        merged.update({name: value for name, value in choice.items() if name not in ("type", "const")})
    return {**merged, "type": [choice["type"] for choice in spec["anyOf"]]}

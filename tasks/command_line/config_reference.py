"""Every setting in words: what `pinsage config schema` prints and docs/configuration.md is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pinsage.settings.loading import section_of
from pinsage.settings.schema import Settings
from pinsage.settings.section import Execution

PRESETS = Path(__file__).parents[2] / "conf"
INTRODUCTION = """\
# Configuration

Every setting of a run, made from `pinsage/settings/` by `pinsage config schema --markdown`. The same tree makes the
Airflow trigger form, the presets and the command line:

* a preset: `pinsage run --preset conf/demo.yaml`, or `PINSAGE_CONFIG` for the Airflow deployment;
* single settings on top: `pinsage run --set walk.num_walks=200 --set "evaluate.ranks=[10, 50]"`;
* `pinsage config show` prints what comes out, `pinsage config validate` checks it.

A setting that **decides** is part of the key of the artifacts it decides: change it, and those are made again. One that
does not says where and how, never what: change it, and everything is reused.
"""


@dataclass(frozen=True)
class SettingRow:
    """One setting: its full name, type, default, bounds, meaning, and whether it decides what is computed."""

    name: str
    type: str
    default: str
    bounds: str
    meaning: str
    decides: bool


def setting_rows(section: str) -> list[SettingRow]:
    """The settings of a section, in the order of the tree."""
    model = section_of(section)
    properties: dict[str, dict[str, Any]] = model.model_json_schema()["properties"]
    return [
        SettingRow(
            name=f"{section}.{name}",
            type=_type(spec),
            default=_value(spec.get("default")),
            bounds=_bounds(spec),
            meaning=spec.get("description", ""),
            decides=model.model_fields[name].json_schema_extra != Execution,
        )
        for name, spec in properties.items()
    ]


def section_meaning(section: str) -> str:
    """The meaning of a section, in a sentence."""
    return (section_of(section).__doc__ or "").strip().splitlines()[0]


def markdown_page(presets: Path = PRESETS) -> str:
    """The text of docs/configuration.md: a table per section, then the presets."""
    parts = [INTRODUCTION, *(_section_table(section) for section in Settings.model_fields), *_presets(presets)]
    return "\n".join(parts)


def _section_table(section: str) -> str:
    lines = [f"## {section}", "", section_meaning(section), ""]
    lines += ["| setting | type | default | bounds | decides | meaning |", "|---|---|---|---|---|---|"]
    for row in setting_rows(section):
        cells = (f"`{row.name}`", row.type, f"`{row.default}`" if row.default else "", row.bounds)
        lines.append(f"| {' | '.join(map(_cell, cells))} | {'yes' if row.decides else 'no'} | {_cell(row.meaning)} |")
    return "\n".join(lines) + "\n"


def _presets(folder: Path) -> Iterator[str]:
    files = sorted(folder.glob("*.yaml"))
    if files:
        yield "## Presets\n"
    for path in files:
        text = path.read_text(encoding="utf-8")
        about = [line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#")]
        yield f"### conf/{path.name}\n\n{' '.join(about)}\n"
        tree: dict[str, dict[str, Any]] = yaml.safe_load(text) or {}
        rows = [(f"{section}.{name}", value) for section, fields in tree.items() for name, value in fields.items()]
        table = [f"| `{name}` | `{_value(value)}` |" for name, value in rows]
        yield "\n".join(["| setting | value |", "|---|---|", *table]) + "\n"


def _type(spec: dict[str, Any]) -> str:
    if "anyOf" in spec:
        return " or ".join("empty" if choice["type"] == "null" else _type(choice) for choice in spec["anyOf"])
    if "const" in spec:
        return f"`{spec['const']}`"
    if "enum" in spec:
        return "choice"
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'])}"
    return str(spec.get("format") or {"string": "text"}.get(spec["type"], spec["type"]))


def _bounds(spec: dict[str, Any]) -> str:
    if "anyOf" in spec:
        return ", ".join(filter(None, map(_bounds, spec["anyOf"])))
    if "enum" in spec:
        return ", ".join(f"`{choice}`" for choice in spec["enum"])
    if spec.get("type") == "array":
        inner = _bounds(spec["items"])
        return f"each {inner}" if inner else ""
    low, above = spec.get("minimum"), spec.get("exclusiveMinimum")
    high, below = spec.get("maximum"), spec.get("exclusiveMaximum")
    bounds = (("≥", low), (">", above), ("≤", high), ("<", below))
    return ", ".join(f"{sign} {_value(bound)}" for sign, bound in bounds if bound is not None)


def _value(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) >= 1 or value == 0 else str(value)
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

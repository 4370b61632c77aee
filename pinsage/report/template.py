"""The templates of the pages, filled so that whatever came from the data is escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def fill(template: str, **values: object) -> str:
    """The HTML of a template, named by its path below this room."""
    return _ENVIRONMENT.get_template(template).render(**values)

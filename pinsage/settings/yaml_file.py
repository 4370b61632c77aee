"""Settings as YAML: a file or a single value, of any health, read without hanging and refused in one sentence."""

import stat
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from pinsage.errors import SettingsError

MAX_BYTES = 1_000_000


class _Loader(yaml.SafeLoader):
    """Plain values alone, and no name twice: PyYAML would take the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node."""
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name, count in counts.items():
            if count > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections in a settings file, each a mapping.

    Raises:
        SettingsError: it is missing, no file of text, too large, no YAML, or no mapping of mappings.
    """
    try:
        tree = yaml_value(_text(path))
    except OSError as error:
        raise SettingsError(f"Settings file {path} cannot be read ({error.strerror}). Check the path.") from None
    except ValueError as error:
        raise SettingsError(f"Settings file {str(path)!a} is not valid YAML ({error}). Correct the file.") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict) or not all(isinstance(fields, dict | None) for fields in tree.values()):
        raise SettingsError(f"Settings file {path} must map sections to settings, e.g. 'walk: {{num_walks: 200}}'.")
    return {section: fields or {} for section, fields in tree.items()}


def yaml_value(text: str) -> Any:
    """The value in a text of YAML.

    Raises:
        ValueError: it is none, names something twice, or nests too deep; the message is one line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise ValueError("it nests too deep") from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ValueError("".join(sign if sign.isprintable() else "?" for sign in said)) from None


def _text(path: Path) -> str:
    # Not opened before it is looked at: a named pipe would keep us waiting for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file of text")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return content.decode()

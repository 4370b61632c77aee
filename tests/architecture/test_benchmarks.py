"""The benchmarks, which no test runs, follow the names of the library."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "benchmarks").glob("*.py"))


def missing_names(source: str) -> list[str]:
    """Names that a piece of source imports from the library, and that are not there."""
    missing = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("pinsage", "tasks"):
            try:
                module = importlib.import_module(str(node.module))
            except ModuleNotFoundError as error:
                missing.append(str(error.name))
                continue
            missing += [f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name)]
    return missing


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_imports_what_there_is(path):
    """A rename that forgets the benchmarks would be noticed months later."""
    assert missing_names(path.read_text(encoding="utf-8")) == []


def test_a_name_that_is_gone_is_found():
    """A name of a module, and a module."""
    source = "def f():\n    from pinsage.walks.hops import HopTables, nothing\nfrom pinsage.gone import something\n"
    assert sorted(missing_names(source)) == ["pinsage.gone", "pinsage.walks.hops.nothing"]

"""Docstrings that a stranger understands at once: none opens with a relative clause, and every room says what it is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("dags", "tasks", "pinsage") for path in (ROOT / room).rglob("*.py"))
RIDDLE = re.compile(r"(What|Where|How|Which|Whether|Who|Whom|Whose|When)\b")


def riddles(source: str) -> list[str]:
    """The first lines of docstrings that open with a relative clause instead of an imperative or a noun phrase."""
    nodes = ast.walk(ast.parse(source))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, documented)]
    return [text.splitlines()[0] for text in docstrings if RIDDLE.match(text)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_opens_with_a_relative_clause(path):
    """A first line says what a thing is or does: an imperative or a noun phrase."""
    assert riddles(path.read_text(encoding="utf-8")) == []


def test_a_planted_riddle_is_named():
    """The check itself can fail."""
    assert riddles('"""What it is."""\ndef f():\n    """Return it."""') == ["What it is."]


def test_every_room_says_what_it_is_for():
    """Where a folder's files cannot tell their order, its docstring does: where to begin reading."""
    rooms = [path for path in SOURCES if path.name == "__init__.py" and path.parent != ROOT / "pinsage"]
    texts = {
        str(path.relative_to(ROOT)): ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in rooms
    }
    assert [name for name, text in texts.items() if not re.search(r"[Bb]egin", text or "")] == []

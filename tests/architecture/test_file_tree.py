"""The README's file tree has one line per file: the first line of the file's docstring.

`python tests/architecture/test_file_tree.py` writes it anew.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BEGIN, END = "<!-- file tree: begin -->\n", "<!-- file tree: end -->"
OTHERS = {
    "conf": "presets of the settings: the demo, the paper's numbers",
    "tests": "mirror of the code, plus architecture/ (directions of imports) and end_to_end/",
    "benchmarks": "what the performance figures come from",
    "docs": "glossary, data model, pipeline, paper map, configuration, decisions, log",
}


def tree() -> str:
    """The tree of the code as Markdown, a table per room."""
    parts = []
    for room in ("dags", "tasks", "pinsage"):
        paths = [path for path in sorted((ROOT / room).rglob("*.py")) if path.name != "__init__.py"]
        rows = [f"{path.relative_to(ROOT / room)!s:<32}{first_line(path)}" for path in sorted(paths, key=_folders_last)]
        parts.append(
            f"<details><summary><code>{room}/</code></summary>\n\n```\n" + "\n".join(rows) + "\n```\n\n</details>"
        )
    parts.append("```\n" + "\n".join(f"{name + '/':<32}{text}" for name, text in OTHERS.items()) + "\n```")
    return "\n\n".join(parts) + "\n"


def first_line(path: Path) -> str:
    """The first sentence that a file says of itself."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0] if text else ""


def _folders_last(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)


def test_every_file_says_what_it_is():
    """A file without a docstring would be a blank line in the tree."""
    files = [path for room in ("dags", "tasks", "pinsage") for path in (ROOT / room).rglob("*.py")]
    assert [str(path) for path in files if path.name != "__init__.py" and not first_line(path)] == []


def test_the_tree_in_the_readme_is_the_tree_there_is():
    """A file that came, went or changed its purpose must show in the README."""
    text = README.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == tree()


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text.partition(BEGIN)[0] + BEGIN + tree() + END + text.partition(END)[2], encoding="utf-8")

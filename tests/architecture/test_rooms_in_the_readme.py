"""The README names every room in one sentence, the first of the docstring of its `__init__.py`.

`python tests/architecture/test_rooms_in_the_readme.py` writes the table anew.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BEGIN, END = "<!-- rooms: begin -->\n", "<!-- rooms: end -->"
PINSAGE = ROOT / "pinsage"
OTHERS = {
    "docker": "The deployment in containers: Airflow on Celery, Postgres, Redis, MLflow, Dask, an object store.",
    "conf": "Presets of the settings: the demo, the paper's numbers.",
    "tests": "A mirror of the code, with architecture/ (directions of imports), faults/ and end_to_end/ beside it.",
    "benchmarks": "The programs that give the figures, and their raw numbers.",
    "docs": "Data model, pipeline, operations, paper map, settings, quality, performance, decisions, glossary, log.",
}


def table() -> str:
    """The rooms as a Markdown table: the top level, then those of `pinsage/`."""
    rooms = [ROOT / "dags"]
    for house in (ROOT / "tasks", PINSAGE):
        rooms += [house, *sorted(path.parent for path in house.glob("*/__init__.py"))]
    rows = [(f"{room.relative_to(ROOT)}/", first_line(_speaker(room))) for room in rooms]
    rows += [(f"{name}/", text) for name, text in OTHERS.items()]
    return "\n".join(["| room | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows)]) + "\n"


def first_line(path: Path) -> str:
    """The first sentence that a file says of itself."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0] if text else ""


def _speaker(room: Path) -> Path:
    """The file that speaks for a room; `dags/` is no package and its one DAG does."""
    return room / "__init__.py" if (room / "__init__.py").is_file() else room / "train_pinsage.py"


def test_every_file_says_what_it_is():
    """A file without a docstring, or a room whose `__init__.py` has none, leaves a newcomer to guess."""
    files = [path for room in ("dags", "tasks", "pinsage") for path in (ROOT / room).rglob("*.py")]
    speaks = [path for path in files if path.name != "__init__.py" or path.parent in (ROOT / "tasks", PINSAGE)]
    speaks += [path for path in files if path.name == "__init__.py" and path.parents[1] in (ROOT / "tasks", PINSAGE)]
    assert [str(path) for path in speaks if not first_line(path)] == []


def test_the_rooms_in_the_readme_are_the_rooms_there_are():
    """A room that came, went or changed its purpose must show in the README."""
    text = README.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table()


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text.partition(BEGIN)[0] + BEGIN + table() + END + text.partition(END)[2], encoding="utf-8")

"""The staircase: dags -> tasks -> pinsage, and inside pinsage only downwards; each outside library has one door."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# From the ground up. A room may import the rooms before it, never those after it.
ROOMS = (
    "errors settings progress store cluster compiled catalog datasets pairs graph features walks batches model "
    "training inference index serving evaluation release drift report tracking promotion ingest"
).split()

# Rooms that know only some of those before them.
NEIGHBORS = {
    "ingest": {"errors", "settings", "store", "catalog", "ingest"},
    "datasets": {"errors", "store", "datasets"},
    "catalog": {"errors", "catalog"},
}

# Outside library -> the only places that may import it.
DOORS = {
    "airflow": ("dags/",),
    "mlflow": ("pinsage/tracking/", "pinsage/serving/served_model.py"),
    "annoy": ("pinsage/index/", "pinsage/release/consumer.py"),
    "duckdb": ("pinsage/ingest/engine.py",),
    "gensim": ("pinsage/features/text.py", "pinsage/evaluation/baselines/item2vec.py"),
    "implicit": ("pinsage/evaluation/baselines/factors.py",),
    "dask": ("pinsage/cluster/",),
    "distributed": ("pinsage/cluster/",),
    "torch": (
        "pinsage/model/",
        "pinsage/training/",
        "pinsage/inference.py",
        "pinsage/features/visual.py",
        "pinsage/features/vgg.py",
    ),
}


def imported_modules(source: str) -> Iterator[str]:
    """Every module that a piece of source imports anywhere, at the top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(path: str, source: str) -> list[str]:
    """One sentence per import of `path` that goes up the stairs or through a wall."""
    modules = set(imported_modules(source))
    return _upward(path, modules) + _sideways(path, modules)


def _upward(path: str, modules: set[str]) -> list[str]:
    layers = {"pinsage": 0, "tasks": 1, "dags": 2}
    here, found = path.split("/", maxsplit=1)[0], []
    for module in sorted(modules):
        there = module.split(".")[0]
        if here in layers and layers.get(there, 0) > layers[here]:
            found.append(f"{path} imports {module}: {here}/ may not know {there}/ (dags -> tasks -> pinsage).")
        if here == "pinsage" and there == "pinsage" and _rank(module.split(".")) > _rank(path.split("/")):
            room, own = module.split(".")[1], path.split("/")[1]
            found.append(f"{path} imports {module}: the room '{own}' lies below '{room}' and may not look up.")
    return found + _strangers(path, modules)


def _strangers(path: str, modules: set[str]) -> list[str]:
    own, found = path.split("/")[1] if path.startswith("pinsage/") else "", []
    for module in sorted(modules):
        room = module.split(".")[1] if module.startswith("pinsage.") else ""
        if own in NEIGHBORS and room and room not in NEIGHBORS[own]:
            found.append(f"{path} imports {module}: the room '{own}' knows only {', '.join(sorted(NEIGHBORS[own]))}.")
    return found


def _rank(parts: list[str]) -> int:
    room = parts[1].removesuffix(".py") if len(parts) > 1 else "__init__"
    return ROOMS.index(room) if room in ROOMS else -1


def _sideways(path: str, modules: set[str]) -> list[str]:
    return [
        f"{path} imports {module}: the door to {library} is {', '.join(doors)}."
        for library, doors in DOORS.items()
        for module in sorted(modules)
        if module.split(".")[0] == library and not path.startswith(doors)
    ]


SOURCES = sorted(path for room in ("dags", "tasks", "pinsage") for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down_and_through_the_doors(path):
    """No file of the project imports a room above its own, or a library past its door."""
    assert breaches(str(path.relative_to(ROOT)), path.read_text()) == []


def test_every_room_of_the_library_has_a_place_on_the_stairs():
    """A new room must be given a rank, or the direction test would not see it."""
    rooms = {path.stem for path in (ROOT / "pinsage").iterdir() if not path.name.startswith("__")}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("pinsage/graph/csr.py", "from tasks.running.runner import run_stage", "tasks/"),
        ("pinsage/graph/csr.py", "from pinsage.training import loop", "'graph' lies below 'training'"),
        ("pinsage/graph/csr.py", "def f():\n    import pinsage.report.page", "'graph' lies below 'report'"),
        ("pinsage/graph/csr.py", "from pinsage.ingest import ingest", "'graph' lies below 'ingest'"),
        ("pinsage/ingest/nodes.py", "from pinsage.datasets import movielens", "'ingest' knows only"),
        ("pinsage/ingest/nodes.py", "import duckdb", "door to duckdb"),
        ("tasks/train.py", "import airflow.sdk", "door to airflow"),
        ("pinsage/training/loop.py", "import mlflow", "door to mlflow"),
        ("pinsage/walks/random_walk.py", "from distributed import Client", "door to distributed"),
    ],
)
def test_a_planted_breach_is_named(path, source, word):
    """The check itself can fail: each kind of breach yields one sentence that names the rule."""
    found = breaches(path, source)
    assert len(set(found)) >= 1
    assert word in found[0]


def test_no_room_but_ingest_loads_the_database_engine():
    """Walks, minibatches, training and serving start where duckdb is not installed. `gpu_sums` wants Triton besides."""
    rooms = [room for room in ROOMS if room != "ingest"]
    program = (
        "import sys, importlib, pkgutil, pinsage\n"
        f"for room in {rooms}:\n"
        "    module = importlib.import_module(f'pinsage.{room}')\n"
        "    for found in pkgutil.iter_modules(getattr(module, '__path__', [])):\n"
        "        if found.name != 'gpu_sums':\n"
        "            importlib.import_module(f'{module.__name__}.{found.name}')\n"
        "assert 'duckdb' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)

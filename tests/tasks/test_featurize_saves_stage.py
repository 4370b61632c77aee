"""The stage featurize_saves on a graph as connect writes it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pinsage.errors import ArtifactDamagedError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.sessions import WALKED, add_sessions
from pinsage.settings.loading import load_settings
from tasks.featurize_saves import featurize_saves
from tasks.running.work import StageWork

P, B = 50, 30
PROGRAM = """
import sys
from pathlib import Path
from pinsage.settings.loading import load_settings
from tasks.featurize_saves import featurize_saves
from tasks.running.work import StageWork
home = Path(sys.argv[1])
featurize_saves(StageWork(load_settings(), {"connect": home / "connect"}, Path(sys.argv[2]), home, home))
"""


@pytest.fixture
def work(tmp_path):
    """A published graph whose last five pins are isolated, and an empty folder to write to."""
    keys = np.unique(np.random.default_rng(0).integers((P - 5) * B, size=300))
    for name in ("connect", "out"):
        (tmp_path / name).mkdir()
    pins, boards = (keys // B).astype(np.int32), (keys % B).astype(np.int32)
    build_graph(pins, boards, num_pins=P, num_boards=B).save(tmp_path / "connect")
    settings = load_settings(overrides={"spectral.dim": 16})
    return StageWork(settings, {"connect": tmp_path / "connect"}, tmp_path / "out", tmp_path, tmp_path)


def test_the_stage_writes_what_the_data_model_promises(work):
    """Five files with their types and shapes, and facts that a tracker can log."""
    facts = featurize_saves(work)
    arrays = {path.name: np.load(path) for path in work.out.iterdir()}
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "spectral.npy": (np.float32, (P, 16)),
        "has_saves.npy": (np.bool_, (P,)),
        "log_degree.npy": (np.float32, (P,)),
        "boards.npy": (np.float32, (B, 16)),
        "singular_values.npy": (np.float32, (16,)),
    }
    degrees = BipartiteGraph.open(work.inputs["connect"]).pin_degrees
    np.testing.assert_allclose(arrays["log_degree.npy"], np.log(1 + degrees), rtol=1e-6)
    assert (facts["dim"], facts["rank"], facts["iterations"]) == (16, 16, 3)
    assert facts["pins_with_saves"] == arrays["has_saves.npy"].sum() <= P - 5
    assert 0.5 < facts["energy_captured"] <= 1


def test_other_processes_with_other_threads_of_blas_write_the_same_bytes(work, tmp_path):
    """A retry on a larger machine publishes the same artifact."""
    contents = []
    for num_threads in ("1", "2"):
        (out := tmp_path / num_threads).mkdir()
        environment = {**os.environ, "OMP_NUM_THREADS": num_threads, "OPENBLAS_NUM_THREADS": num_threads}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(out)]
        subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
        contents.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert contents[0] == contents[1]


def test_a_board_outside_the_graph_is_found_before_compiled_code_follows_it(work):
    """One sentence that names the file, no crash."""
    path = work.inputs["connect"] / "pin_boards.npy"
    boards = np.load(path)
    boards[-1] = B
    np.save(path, boards)
    with pytest.raises(ArtifactDamagedError, match=r"pin_boards\.npy holds the board 30"):
        featurize_saves(work)


def test_sessions_are_factorized_with_the_boards(work):
    """Their factors follow those of the boards; a pin is as popular as without them."""
    connect = work.inputs["connect"]
    sessions = build_graph(np.arange(10, dtype=np.int32), np.arange(10, dtype=np.int32) // 5, num_pins=P, num_boards=2)
    (connect / WALKED).mkdir()
    add_sessions(BipartiteGraph.open(connect), sessions).save(connect / WALKED)
    featurize_saves(work)
    factors = np.load(work.out / "boards.npy")
    assert factors.shape == (B + 2, 16)
    assert (np.abs(factors[B:]).sum(axis=1) > 0).all()
    degrees = BipartiteGraph.open(connect).pin_degrees
    np.testing.assert_allclose(np.load(work.out / "log_degree.npy"), np.log(1 + degrees), rtol=1e-6)

"""The stage `walk` on real worker processes writes what one process would."""

from dataclasses import replace

import numpy as np
import pytest

from pinsage.cluster.exchange import FilesInPlace, RowsInPlace
from pinsage.errors import ArtifactDamagedError
from pinsage.graph.build import build_graph
from pinsage.graph.sessions import WALKED, add_sessions
from pinsage.settings.loading import load_settings
from pinsage.walks.partition import NAMES, allocate, walk_partition
from tasks.running.work import StageWork
from tasks.walk import walk

OVERRIDES = {
    "walk.num_neighbors": 8, "walk.num_walks": 60, "walk.num_hard_negatives": 5, "walk.hard_negative_walks": 100,
    "cluster.num_workers": 2,
}  # fmt: skip


@pytest.fixture
def work(tmp_path):
    """A published graph of 400 pins, of which the last 40 are isolated, and an empty folder to write to."""
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(0, 90, 1500) * 400 + rng.integers(0, 360, 1500))
    pins, boards = (keys % 400).astype(np.int32), (keys // 400).astype(np.int32)
    folders = {name: tmp_path / name for name in ("connect", "out")}
    for folder in folders.values():
        folder.mkdir()
    build_graph(pins, boards, num_pins=400, num_boards=90).save(folders["connect"])
    return StageWork(load_settings(overrides=OVERRIDES), folders, folders["out"], tmp_path, tmp_path)


@pytest.mark.parametrize("small_pins", [0, 400], ids=["processes", "threads"])
def test_two_workers_write_the_bytes_of_one(work, tmp_path, monkeypatch, small_pins):
    """Byte for byte, sixteen partitions against one; the facts count what is on disk."""
    monkeypatch.setattr("pinsage.cluster.workers.SMALL_PINS", small_pins)
    facts = walk(work)
    alone = tmp_path / "alone"
    alone.mkdir()
    allocate(alone, 400, work.settings.walk)
    walk_partition(FilesInPlace(work.inputs["connect"]), RowsInPlace(alone), 0, 400, work.settings.walk)
    for name in NAMES:
        assert (work.out / f"{name}.npy").read_bytes() == (alone / f"{name}.npy").read_bytes()
    weights = np.load(work.out / "weights.npy")
    isolated = int((np.diff(np.load(work.inputs["connect"] / "pin_offsets.npy")) == 0).sum())
    assert isolated >= 40
    assert (facts["pins"], facts["isolated_pins"], facts["partitions"]) == (400, isolated, 16)
    assert facts["mean_neighbors"] == round(float((weights > 0).sum() / 400), 3)
    assert facts["pins_per_second"] > 0


def test_a_damaged_graph_stops_the_stage_before_any_worker_starts(work):
    """The error names the file."""
    path = work.inputs["connect"] / "board_pins.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtifactDamagedError, match="board_pins"):
        walk(work)


def test_where_there_are_sessions_they_are_walked_too(work):
    """The stage takes the graph in the sub-folder: two pins that share no board are neighbors by a session."""
    settings = work.settings.model_copy(update={"walk": work.settings.walk.model_copy(update={"num_partitions": 1})})
    boards = build_graph(np.array([0, 1], np.int32), np.array([0, 1], np.int32), num_pins=2, num_boards=2)
    boards.save(work.inputs["connect"])
    (work.inputs["connect"] / WALKED).mkdir()
    sessions = build_graph(np.array([0, 1], np.int32), np.array([0, 0], np.int32), num_pins=2, num_boards=1)
    add_sessions(boards, sessions).save(work.inputs["connect"] / WALKED)
    walk(replace(work, settings=settings))
    assert np.load(work.out / "neighbors.npy")[:, 0].tolist() == [1, 0]

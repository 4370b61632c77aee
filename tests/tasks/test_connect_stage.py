"""The stage `connect` makes the graph of the training saves and of nothing else."""

from dataclasses import replace

import pyarrow as pa
import pytest
from pyarrow import parquet

from pinsage.errors import DatasetError
from pinsage.graph.csr import NAMES, BipartiteGraph
from pinsage.graph.sessions import walk_graph_folder
from pinsage.settings.schema import Settings
from tasks.connect import connect
from tasks.running.work import StageWork


def work(tmp_path, saves, num_pins=4, num_boards=3):
    """Published inputs of `connect` with (board, pin) saves, and an empty folder to write to."""
    folders = {name: tmp_path / name for name in ("ingest", "pair", "out")}
    for folder in folders.values():
        folder.mkdir()
    parquet.write_table(pa.table({"pin_id": [str(n) for n in range(num_pins)]}), folders["ingest"] / "pins.parquet")
    parquet.write_table(
        pa.table({"board_id": [str(n) for n in range(num_boards)]}), folders["ingest"] / "boards.parquet"
    )
    boards, pins = [board for board, _ in saves], [pin for _, pin in saves]
    table = pa.table({"board": pa.array(boards, pa.int32()), "pin": pa.array(pins, pa.int32())})
    parquet.write_table(table, folders["pair"] / "saves.parquet")
    return StageWork(Settings(), folders, folders["out"], tmp_path, tmp_path)


def test_the_graph_holds_the_training_saves(tmp_path):
    """Board 0 has pins 0 and 1, board 1 has pin 2, board 2 is empty and pin 3 isolated."""
    facts = connect(work(tmp_path, [(0, 1), (0, 0), (1, 2)]))
    graph = BipartiteGraph.open(tmp_path / "out")
    assert graph.board_pins.tolist() == [0, 1, 2]
    assert graph.pin_degrees.tolist() == [1, 1, 1, 0]
    assert facts == {
        "pins": 4, "boards": 3, "saves": 3, "isolated_pins": 1, "empty_boards": 1, "connected_pins_share": 0.5,
        "median_boards_per_pin": 1.0, "max_boards_per_pin": 1, "median_pins_per_board": 1.0, "max_pins_per_board": 2,
    }  # fmt: skip


def test_a_graph_without_saves_is_refused(tmp_path):
    """Trying again would change nothing."""
    with pytest.raises(DatasetError, match="0 training saves"):
        connect(work(tmp_path, []))


def test_the_order_of_the_saves_changes_no_byte(tmp_path):
    """However the table was sorted and cut into row groups."""
    saves = [(board, pin) for board in range(3) for pin in range(4) if (board + pin) % 3]
    for name, rows in (("a", saves), ("b", saves[::-1])):
        (tmp_path / name).mkdir()
        one = work(tmp_path / name, rows)
        path = one.inputs["pair"] / "saves.parquet"
        parquet.write_table(parquet.read_table(path), path, row_group_size=3)
        connect(one)
    for path in (tmp_path / "a" / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "out" / path.name).read_bytes()


def test_numbers_past_an_int32_are_not_folded_into_the_graph(tmp_path):
    """A table of wider integers, one of which would become pin 0."""
    one = work(tmp_path, [(0, 0)])
    table = pa.table({"board": pa.array([0, 0], pa.int32()), "pin": pa.array([1, 2**32], pa.int64())})
    parquet.write_table(table, one.inputs["pair"] / "saves.parquet")
    with pytest.raises(DatasetError, match="pin 4294967296"):
        connect(one)


@pytest.mark.parametrize("save", [(0, 4), (3, 0), (0, -1)])
def test_a_save_of_another_catalog_is_refused(tmp_path, save):
    """A pin or board past the catalog's last row."""
    with pytest.raises(DatasetError, match="run from 0 to"):
        connect(work(tmp_path, [save]))


def test_weights_are_written_where_they_are_asked_for(tmp_path):
    """Beside the four arrays, with figures among the facts; by default there are none, nor is the catalog read."""
    one = work(tmp_path, [(0, 1), (0, 0), (1, 2)])
    connect(one)
    assert sorted(path.stem for path in one.out.iterdir()) == sorted(NAMES)
    day = 86_400_000_000
    saves = {"board": [0, 0, 1], "pin": [0, 1, 2], "saved_at": [0, 20 * day, 10 * day]}
    schema = pa.schema([("board", pa.int32()), ("pin", pa.int32()), ("saved_at", pa.timestamp("us", tz="UTC"))])
    parquet.write_table(pa.table(saves, schema=schema), one.inputs["ingest"] / "saves.parquet")
    parquet.write_table(pa.table({"pin": pa.array([], pa.int32())}), one.inputs["ingest"] / "pictures.parquet")
    chosen = Settings.model_validate({"graph": {"edge_weights": "recency", "recency_half_life_days": 10}})
    facts = connect(replace(one, settings=chosen))
    assert BipartiteGraph.open(one.out).board_weights.tolist() == [0.25, 1.0, 0.5]
    assert (facts["edge_weights"], facts["lightest_save"], facts["untimed_saves"]) == ("recency", 0.25, 0)


def test_sessions_make_a_second_graph(tmp_path):
    """Boards 0 to 2 and after them two sessions; the graph of boards stays as it is without them."""
    one = work(tmp_path, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 2)])
    table = pa.table({"session": pa.array([0, 0, 1, 1], pa.int32()), "pin": pa.array([1, 3, 0, 2], pa.int32())})
    parquet.write_table(table, one.inputs["pair"] / "sessions.parquet")
    facts = connect(one)
    assert (facts["sessions"], facts["boards"], facts["saves"]) == (2, 3, 5)
    assert BipartiteGraph.open(one.out).board_degrees.tolist() == [4, 1, 0]
    walked = BipartiteGraph.open(walk_graph_folder(one.out))
    assert walked.board_degrees.tolist() == [4, 1, 0, 2, 2]
    assert walked.board_pins.tolist() == [0, 1, 2, 3, 2, 1, 3, 0, 2]

"""Data sets at the edge of what can be learned from, through the stages from ingest to embed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_world import World

from pinsage.errors import DatasetError
from pinsage.pairs.pairs import HeldOutPairs

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITED = {"train.num_negatives": 10, "train.steps": 4, "train.validate_every": 2}


def dataset(folder, boards, times="each"):
    """A data set without content whose boards are lists of pins, each save a minute after the last, or all at once."""
    folder.mkdir()
    saves = [(board, pin) for board, pins in enumerate(boards) for pin in pins]
    when = {"each": [START + timedelta(minutes=minute) for minute in range(len(saves))], "one": [START] * len(saves)}
    columns = {
        "board_id": [f"b{board}" for board, _ in saves],
        "pin_id": [f"p{pin}" for _, pin in saves],
        "saved_at": when[times],
    }
    pins = sorted({pin for _, pin in saves})
    pq.write_table(pa.table({"pin_id": [f"p{pin}" for pin in pins]}), folder / "pins.parquet")
    pq.write_table(pa.table({"board_id": [f"b{board}" for board in range(len(boards))]}), folder / "boards.parquet")
    pq.write_table(pa.table(columns), folder / "saves.parquet")
    return folder


def trained(tmp_path, boards, times="each", **settings):
    """The facts of pair and train, and the embeddings."""
    world = World(tmp_path / "home", dataset(tmp_path / "data", boards, times), **{**LIMITED, **settings})
    vectors = np.load(world.publish("embed") / "embeddings.npy")
    assert np.isfinite(vectors).all()
    return world, world.run.result("pair").facts, world.run.result("train").facts


def random_boards(count=20, size=8, num_pins=40, first=0):
    rng = np.random.default_rng(0)
    return [(first + rng.choice(num_pins, size, replace=False)).tolist() for _ in range(count)]


def test_boards_of_one_pin_are_an_error_that_says_so(tmp_path):
    """Nothing lies beside anything."""
    with pytest.raises(DatasetError, match=r"No train and no validation and no test pairs.*Bring boards with more"):
        trained(tmp_path, [[pin] for pin in range(40)])


def test_saves_at_one_instant_are_trained_on_as_co_members(tmp_path):
    """The data say that there is no order."""
    _, pair, train = trained(tmp_path, random_boards(), times="one")
    assert (pair["order"], pair["share_in_time"]) == ("none", 0)
    assert train["epochs"] == pytest.approx(4 * 16 / pair["training_saves"], abs=1e-3)


def test_fifty_pairs_are_enough_to_go_through(tmp_path):
    """A set that is all one looks at for a first try."""
    _, pair, train = trained(tmp_path, random_boards(count=10, size=9))
    assert pair["train_pairs"] == 50
    assert (pair["order"], pair["share_in_time"]) == ("time", 1)
    assert train["validation_hit_rate_at_10"] >= 0


def test_a_pin_on_every_board_goes_through(tmp_path):
    """It is everyone's neighbor and partner."""
    boards = [[99, *board] for board in random_boards()]
    for times in ("each", "one"):
        (tmp_path / times).mkdir()
        trained(tmp_path / times, boards, times)


def test_copies_of_a_board_keep_their_held_out_pairs(tmp_path):
    """Each copy asks for the same saves; nothing is dropped for being there twice."""
    boards = [list(range(10)) for _ in range(6)] + random_boards(first=10)
    world, pair, _ = trained(tmp_path, boards)
    test = HeldOutPairs.read(world.publish("pair") / "test.parquet")
    assert (test.board < 6).sum() == 12
    assert pair["known_test_pairs"] < pair["test_pairs"] == pair["held_out_saves"] - pair["validation_pairs"]


@pytest.mark.parametrize("shares", [("validation",), ("test",), ("validation", "test")])
def test_nothing_held_out_is_a_choice(tmp_path, shares):
    """Without validation pairs the last weights are kept, and popularity has no say."""
    _, pair, train = trained(tmp_path, random_boards(), **{f"pairs.{name}_share": 0 for name in shares})
    for name in ("validation", "test"):
        assert (pair[f"{name}_pairs"] == 0) == (name in shares)
    assert train["steps"] == 4
    assert ("validation_hit_rate_at_10" in train) == ("validation" not in shares)

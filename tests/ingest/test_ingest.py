"""What comes out of ingest: numbered, dated, reconciled, and the same whatever the order of what came in."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, day, good_world, ingest, ingested, reasons, saves, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError, PinSageError
from pinsage.ingest import quarantine
from pinsage.ingest.ingest import ingest_dataset
from pinsage.ingest.quarantine import TableCount
from pinsage.settings.schema import DataSettings


def edges(catalog) -> list[tuple[str, str]]:
    boards = catalog.boards().column("board_id").to_pylist()
    return [(boards[row["board"]], catalog.pin_ids.pin_id(row["pin"])) for row in catalog.saves().to_pylist()]


def count(done, table: str) -> TableCount:
    return next(found for found in done.counts if found.table == table)


def test_pins_and_boards_are_numbered_by_ascending_id(tmp_path):
    """Row i is the i-th id in order, and saves speak in these numbers."""
    catalog = ingested(write(tmp_path / "data"), tmp_path / "out")
    assert catalog.pins(["pin_id", "title"]).to_pydict() == {"pin_id": ["a", "b", "c"], "title": ["Ant", "Bee", None]}
    assert catalog.boards().column("board_id").to_pylist() == ["x", "y"]
    assert catalog.saves().to_pydict() == {
        "board": [0, 0, 1, 1],
        "pin": [0, 1, 1, 2],
        "saved_at": [day(1), day(2), day(3), day(4)],
    }


def test_an_id_may_be_as_long_as_the_setting_says(tmp_path):
    """In characters, not in bytes; one more is too long."""
    pins = pa.table({"pin_id": ["é" * 128, "é" * 129, "a"]})
    rows = saves([("x", "é" * 128, day(1)), ("x", "é" * 129, day(1))])
    catalog = ingested(write(tmp_path / "data", pins=pins, saves=rows), tmp_path / "out")
    assert edges(catalog) == [("x", "é" * 128)]
    assert reasons(tmp_path / "out") == [
        ("pins", 1, "pin_id is longer than 128 characters"),
        ("saves", 1, "pin_id is longer than 128 characters"),
    ]


def test_published_tables_have_the_types_of_the_contract(tmp_path):
    """docs/data_model.md: int32 rows, microseconds in UTC, lists of strings that are never null."""
    catalog = ingested(write(tmp_path / "data"), tmp_path / "out")
    assert str(catalog.saves().schema) == "board: int32\npin: int32\nsaved_at: timestamp[us, tz=UTC]"
    assert catalog.pins().schema.field("annotations").type == pa.list_(pa.string())
    assert catalog.pins().column("annotations").to_pylist() == [[], [], []]
    assert list(catalog.pictures()) == []


def test_saves_after_as_of_do_not_exist(tmp_path):
    """They are neither kept nor quarantined, and the counts say so."""
    folder = write(tmp_path / "data")
    done = ingest(folder, tmp_path / "out", as_of=day(2))
    assert count(done, "saves") == TableCount("saves", rows_in=4, kept=2, quarantined=0, later=2)
    assert done.as_of == day(2).isoformat()
    assert edges(ingested(folder, tmp_path / "again", as_of=day(2))) == [("x", "a"), ("x", "b")]


def test_a_later_row_does_not_exist_whatever_else_is_wrong_with_it(tmp_path):
    """A save of an unknown pin after as_of is no bad row at as_of."""
    rows = saves([("x", "a", day(1)), ("x", "nobody", day(5))])
    done = ingest(write(tmp_path / "data", saves=rows), tmp_path / "out", as_of=day(2))
    assert count(done, "saves") == TableCount("saves", 2, 1, 0, 1)


def test_a_save_of_tomorrow_is_quarantined_and_one_of_tonight_is_not(tmp_path):
    """The future begins with tomorrow, UTC: clocks of exporters differ by hours."""
    rows = saves([("x", "a", NOW.replace(hour=23, minute=59)), ("x", "b", NOW.replace(day=16, hour=0))])
    ingest(write(tmp_path / "data", saves=rows), tmp_path / "out")
    assert reasons(tmp_path / "out") == [("saves", 1, "saved_at is in the future")]


def test_nothing_left_at_as_of_is_an_error(tmp_path):
    """A catalog without saves would fail much later and less clearly."""
    with pytest.raises(DatasetError, match=r"none of 4 rows is left at as_of = 2024-05-01.*4 are later"):
        ingest(write(tmp_path / "data"), tmp_path / "out", as_of=day(1).replace(month=5))


def test_of_a_doubled_save_the_earliest_is_kept(tmp_path):
    """A save without a time loses against one with a time."""
    rows = saves([("x", "a", None), ("x", "a", day(3)), ("x", "a", day(1)), ("y", "b", None), ("y", "b", None)])
    catalog = ingested(write(tmp_path / "data", saves=rows), tmp_path / "out")
    assert catalog.saves().column("saved_at").to_pylist() == [day(1), None]
    assert [reason for *_, reason in reasons(tmp_path / "out")] == ["duplicate save"] * 3


def test_unknown_times_come_first_on_a_board(tmp_path):
    """The order of the contract: board, time with null first, pin."""
    rows = saves([("x", "a", day(2)), ("x", "b", None), ("x", "c", day(1))])
    catalog = ingested(write(tmp_path / "data", saves=rows), tmp_path / "out")
    assert edges(catalog) == [("x", "b"), ("x", "c"), ("x", "a")]


def test_engagements_keep_repetitions_and_lose_unknown_pins(tmp_path):
    """An engagement is an event: the same pair twice is two events."""
    rows = [("c", "a", day(2)), ("b", "a", None), ("c", "a", day(1)), ("c", "zebra", day(1))]
    table = pa.table(dict(zip(("query_pin_id", "engaged_pin_id", "at"), zip(*rows, strict=True), strict=True)))
    catalog = ingested(write(tmp_path / "data", engagements=table), tmp_path / "out")
    assert catalog.engagements().to_pydict() == {
        "query": [1, 2, 2],
        "positive": [0, 0, 0],
        "at": [None, day(1), day(2)],
    }
    assert reasons(tmp_path / "out") == [("engagements", 3, "unknown engaged_pin_id")]


def test_every_row_is_accounted_for(tmp_path, monkeypatch):
    """A row that is neither kept nor quarantined nor later stops the run."""
    monkeypatch.setattr(quarantine.Quarantine, "take", lambda *_, **__: 0)
    rows = saves([("x", "a", day(1)), ("x", "zebra", day(1))])
    with pytest.raises(PinSageError, match=r"saves: 2 rows came in, but 1 kept \+ 0 quarantined \+ 0 later"):
        ingest(write(tmp_path / "data", saves=rows), tmp_path / "out")


def test_a_data_set_that_changes_while_it_is_read_is_not_published(tmp_path, monkeypatch):
    """Its rows would lie under the key of the data set it was before; a retry can help."""
    folder, pass_on = write(tmp_path / "data"), quarantine.Quarantine.write

    def grow(self, path):
        write(folder, saves=good_world()["saves"].slice(0, 3))
        pass_on(self, path)

    monkeypatch.setattr(quarantine.Quarantine, "write", grow)
    with pytest.raises(PinSageError, match=r"The table .* changed while it was read") as caught:
        ingest(folder, tmp_path / "out")
    assert caught.value.retry_can_help


DIRTY = {
    "pins": [
        {"pin_id": "a", "title": "Ant", "annotations": ["x", "y"], "image": b"1" * 10},
        {"pin_id": "b", "title": "Bee", "annotations": [], "image": None},
        {"pin_id": "b", "title": "Bumblebee", "annotations": None, "image": b"22"},
        {"pin_id": "b", "title": "Bumblebee", "annotations": None, "image": b"33"},
        {"pin_id": "", "title": "nobody", "annotations": None, "image": None},
        {"pin_id": "c", "title": None, "annotations": ["z"], "image": b"4" * 2_000_000},
        {"pin_id": "d", "title": "Dog", "annotations": ["z"], "image": b"5"},
    ],
    "boards": [
        {"board_id": "x", "title": "first"},
        {"board_id": "x", "title": "second"},
        {"board_id": "y", "title": "y"},
    ],
    "saves": [
        {"board_id": "x", "pin_id": "a", "saved_at": day(3), "weight": 2.0},
        {"board_id": "x", "pin_id": "a", "saved_at": day(1)},
        {"board_id": "x", "pin_id": "a", "saved_at": day(1), "weight": 3.0},
        {"board_id": "x", "pin_id": "a", "saved_at": None},
        {"board_id": "x", "pin_id": "d", "saved_at": day(1), "weight": -1.0},
        {"board_id": "x", "pin_id": "b", "saved_at": day(1)},
        {"board_id": "y", "pin_id": "c", "saved_at": day(20)},
        {"board_id": "y", "pin_id": "d", "saved_at": day(9)},
        {"board_id": "y", "pin_id": "zebra", "saved_at": day(2)},
        {"board_id": None, "pin_id": "b", "saved_at": day(2)},
    ],
    "engagements": [
        {"query_pin_id": "a", "engaged_pin_id": "b", "at": day(2)},
        {"query_pin_id": "a", "engaged_pin_id": "b", "at": day(1)},
        {"query_pin_id": "a", "engaged_pin_id": None, "at": day(1)},
        {"query_pin_id": "d", "engaged_pin_id": "b", "at": None},
    ],
}


def table_of(rows: list[dict]) -> pa.Table:
    """The columns of all rows together."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def published(folder, out) -> dict[str, bytes]:
    """The bytes of every published file; of the quarantine what does not name a file or row."""
    out.mkdir()
    choices = DataSettings(dataset=str(folder), max_bad_share=0.9, max_picture_mb=1, as_of=day(8))
    ingest_dataset(choices, out, now=NOW)
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    rows = pq.read_table(out / "quarantine.parquet").drop_columns(["source", "row"]).to_pylist()
    return found | {"quarantine.parquet": repr(sorted(rows, key=repr)).encode()}


@pytest.fixture(scope="module")
def in_order(tmp_path_factory) -> dict[str, bytes]:
    """The published bytes of the dirty world in its written order, one file per table."""
    folder = tmp_path_factory.mktemp("dirty")
    for name, rows in DIRTY.items():
        pq.write_table(table_of(rows), folder / f"{name}.parquet")
    return published(folder, folder / "out")


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_neither_the_order_nor_the_files_of_the_rows_matter(in_order, tmp_path_factory, data):
    """Shuffled rows, cut into up to three files with row groups of one or more rows, publish the same bytes."""
    folder = tmp_path_factory.mktemp("shuffled")
    for name, rows in DIRTY.items():
        schema, shuffled = table_of(rows).schema, data.draw(st.permutations(rows))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=2, max_size=2)))
        (folder / name).mkdir()
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
            part = pa.Table.from_pylist(shuffled[start:end], schema=schema)
            group = data.draw(st.integers(1, 8))
            pq.write_table(part, folder / name / f"part-{number}.parquet", row_group_size=group)
    assert published(folder, folder / "out") == in_order


def test_the_dirty_world_is_judged_as_expected(in_order, tmp_path):
    """The property above compares something: every kind of verdict occurs in it."""
    text = in_order["quarantine.parquet"].decode()
    for reason in ("duplicate pin_id", "duplicate board_id", "duplicate save", "unknown pin_id", "pin_id is empty"):
        assert reason in text
    assert "weight is not a positive number" in text
    for reason in ("board_id is null", "saved_at is in the future", "larger than 1 MB", "engaged_pin_id is null"):
        assert reason in text

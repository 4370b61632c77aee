"""A catalog that builds on an earlier one holds what a catalog from nothing holds, and old rows keep their numbers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, day
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.earlier import EarlierCatalog, base_key
from pinsage.catalog.ingest import ingest_dataset
from pinsage.catalog.quarantine import TableCount
from pinsage.errors import DatasetError
from pinsage.settings import DataSettings
from pinsage.store.manifest import Manifest

SCHEMAS = {
    "pins": pa.schema([("pin_id", pa.string()), ("title", pa.string()), ("image", pa.binary())]),
    "boards": pa.schema([("board_id", pa.string()), ("title", pa.string())]),
    "saves": pa.schema(
        [
            ("board_id", pa.string()),
            ("pin_id", pa.string()),
            ("saved_at", pa.timestamp("us", "UTC")),
            ("weight", pa.float64()),
        ]
    ),
    "engagements": pa.schema(
        [("query_pin_id", pa.string()), ("engaged_pin_id", pa.string()), ("at", pa.timestamp("us", "UTC"))]
    ),
}
Day = dict[str, list[tuple]]


def write_day(folder: Path, number: int, rows: Day) -> None:
    """One file per table that has rows on this day."""
    for name, values in rows.items():
        if values:
            (folder / name).mkdir(parents=True, exist_ok=True)
            columns = [pa.array(column, field.type) for column, field in zip(zip(*values, strict=True), SCHEMAS[name])]  # noqa: B905
            table = pa.table(columns, schema=pa.schema(list(SCHEMAS[name])[: len(columns)]))
            pq.write_table(table, folder / name / f"day-{number}.parquet")


def ingest(folder: Path, out: Path, base: EarlierCatalog | None = None, **choices) -> EarlierCatalog:
    """The catalog of a folder in the form that another one builds on."""
    out.mkdir()
    chosen = DataSettings(**{"dataset": str(folder), "max_bad_share": 0.99, **choices})
    done = ingest_dataset(chosen, out, now=NOW, base=base)
    files = {name: {f"{name}/{path.name}": "" for path in (folder / name).glob("*")} for name in SCHEMAS}
    return EarlierCatalog(out, files, {count.table: count for count in done.counts})


def content(base: EarlierCatalog) -> dict[str, object]:
    """What a catalog holds, in ids: independent of how its rows are numbered."""
    catalog = Catalog.open(base.folder)
    pins, boards = catalog.pins().to_pylist(), catalog.boards().to_pylist()
    saves = [
        (boards[row.pop("board")]["board_id"], pins[row.pop("pin")]["pin_id"], *row.values())
        for row in catalog.saves().to_pylist()
    ]
    events = catalog.engagements().to_pylist() if catalog.engagements() else []
    engagements = [(pins[row["query"]]["pin_id"], pins[row["positive"]]["pin_id"], row["at"]) for row in events]
    pictures = [
        (pins[pin]["pin_id"], picture)
        for rows, found in catalog.pictures()
        for pin, picture in zip(rows, found, strict=True)
    ]
    held = {"pins": pins, "boards": boards, "saves": saves, "engagements": engagements, "pictures": pictures}
    dangling = pq.read_table(base.folder / "dangling.parquet").to_pylist()
    return {name: sorted(rows, key=repr) for name, rows in (held | {"dangling": dangling}).items()}


def quarantined(base: EarlierCatalog) -> list[tuple]:
    rows = pq.read_table(base.folder / "quarantine.parquet").to_pylist()
    return [(row["table"], row["source"], row["row"], row["reason"]) for row in rows]


FIRST: Day = {
    "pins": [("b", "Bee", b"1"), ("d", "Dog", None), (None, "nobody", None)],
    "boards": [("y", "Yard")],
    "saves": [("y", "b", day(2)), ("y", "a", day(3)), ("x", "b", day(1)), ("y", "", day(1)), ("x", "z", day(1))],
    "engagements": [("b", "d", day(1)), ("b", "a", day(2))],
}
SECOND: Day = {
    "pins": [("c", "Cat", b"2"), ("a", "Ant", None), ("b", "Bumblebee", None)],
    "boards": [("x", "Xylem")],
    "saves": [("x", "c", day(4)), ("y", "b", day(1)), ("y", "b", day(5))],
    "engagements": [("c", "d", None)],
}


@pytest.fixture
def two_days(tmp_path) -> tuple[EarlierCatalog, EarlierCatalog, EarlierCatalog]:
    """The catalogs of the first day, of both days on top of it, and of both days from nothing."""
    write_day(tmp_path / "data", 1, FIRST)
    first = ingest(tmp_path / "data", tmp_path / "first")
    write_day(tmp_path / "data", 2, SECOND)
    return first, ingest(tmp_path / "data", tmp_path / "second", first), ingest(tmp_path / "data", tmp_path / "full")


def test_old_rows_keep_their_numbers_and_new_ones_follow_in_order(two_days):
    """b and d were 0 and 1; of the new pins a comes before c. Their ids are found in both runs."""
    catalog = Catalog.open(two_days[1].folder)
    assert catalog.pins(["pin_id"]).column(0).to_pylist() == ["b", "d", "a", "c"]
    assert catalog.boards().column("board_id").to_pylist() == ["y", "x"]
    assert [catalog.pin_ids.row(pin_id) for pin_id in "abcd"] == [2, 0, 3, 1]


def test_a_save_of_yesterday_is_judged_again_when_its_pin_arrives(two_days):
    """Saves of pin a and of board x were quarantined on the first day; the one of pin z still is."""
    first, second, full = two_days
    assert content(second)["saves"] == content(full)["saves"]
    assert [row["right_id"] for row in content(first)["dangling"]] == ["a", "a", "b", "z"]
    assert [(row["left_id"], row["right_id"]) for row in content(second)["dangling"]] == [("x", "z")]
    assert ("saves", "saves/day-1.parquet", 4, "unknown board_id") in quarantined(first)
    assert ("saves", "saves/day-1.parquet", 4, "unknown pin_id") in quarantined(second)


def test_a_repeated_save_takes_the_earlier_time(two_days):
    """Of (y, b) the first day knew day 2, the second brings day 1 and day 5; both new rows are quarantined."""
    _, second, _ = two_days
    assert [row for row in content(second)["saves"] if row[:2] == ("y", "b")] == [("y", "b", day(1))]
    repeated = [row[1:3] for row in quarantined(second) if row[3] == "duplicate save"]
    assert repeated == [("saves/day-2.parquet", 1), ("saves/day-2.parquet", 2)]


def test_of_two_rows_with_a_pin_id_the_earlier_catalog_wins(two_days):
    """The one difference to a catalog from nothing, which chooses by content."""
    _, second, full = two_days
    assert Catalog.open(second.folder).pins(["title"]).column(0).to_pylist()[0] == "Bee"
    assert ("pins", "pins/day-2.parquet", 2, "duplicate pin_id") in quarantined(second)
    assert second.counts == full.counts


def test_engagements_and_pictures_are_those_of_a_catalog_from_nothing(two_days):
    """Sorted by the new numbers, the pictures of old pins first."""
    _, second, full = two_days
    for name in ("engagements", "pictures"):
        assert content(second)[name] == content(full)[name]
    rows = Catalog.open(second.folder).engagements().select(["query", "positive"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["query"], row["positive"]))
    assert [list(pins) for pins, _ in Catalog.open(second.folder).pictures()] == [[0, 3]]


IDS = st.sampled_from(["a", "b", "c", "d", "e", "", None])
WHEN = st.sampled_from([None, day(1), day(2), day(3)])
DAY = st.fixed_dictionaries(
    {
        "pins": st.lists(IDS.map(lambda pin: (pin, pin)), max_size=5),
        "boards": st.lists(IDS.map(lambda board: (board, board)), max_size=4),
        "saves": st.lists(st.tuples(IDS, IDS, WHEN, st.sampled_from([None, 0.5, 2.0, -1.0])), max_size=12),
        "engagements": st.lists(st.tuples(IDS, IDS, WHEN), max_size=6),
    }
)
GOOD: Day = {
    "pins": [("c", "c")],
    "boards": [("c", "c")],
    "saves": [("c", "c", day(1), 1.0)],
    "engagements": [("c", "c", day(1))],
}


@given(st.lists(DAY, min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_day_upon_day_comes_to_the_same_as_all_days_at_once(tmp_path_factory, days):
    """Whatever the days bring, in ids; old pins and boards never move; every row is accounted for."""
    folder = tmp_path_factory.mktemp("days")
    write_day(folder / "data", 0, GOOD)
    base = ingest(folder / "data", folder / "out-0")
    for number, rows in enumerate(days, start=1):
        write_day(folder / "data", number, rows)
        before, base = base, ingest(folder / "data", folder / f"out-{number}", base)
        for name in ("pins", "boards"):
            old, new = (pq.read_table(found.folder / f"{name}.parquet") for found in (before, base))
            assert new.slice(0, old.num_rows) == old
    full = ingest(folder / "data", folder / "full")
    assert content(base) == content(full)
    assert base.counts == full.counts
    assert sorted(row[0] for row in quarantined(base)) == sorted(row[0] for row in quarantined(full))


def test_old_files_are_not_read_again(tmp_path, monkeypatch):
    """Their footers are, for the newest time."""
    write_day(tmp_path / "data", 1, FIRST)
    first = ingest(tmp_path / "data", tmp_path / "first")
    write_day(tmp_path / "data", 2, SECOND)
    original, read = SourceTable.batches, set()

    def watched(self, *args, **kwargs):
        read.update(file.name for file in self.files)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(SourceTable, "batches", watched)
    ingest(tmp_path / "data", tmp_path / "second", first)
    assert read == {f"{name}/day-2.parquet" for name in SCHEMAS}


def test_a_day_of_saves_alone_is_taken_in(tmp_path):
    """No new pins, no new boards, and the weights that only this day has."""
    write_day(tmp_path / "data", 1, FIRST)
    first = ingest(tmp_path / "data", tmp_path / "first")
    write_day(tmp_path / "data", 2, {"saves": [("y", "d", day(5), 3.0)]})
    second = ingest(tmp_path / "data", tmp_path / "second", first)
    assert Catalog.open(second.folder).saves().column("weight").to_pylist() == [1.0, 3.0]
    assert second.counts["saves"] == TableCount("saves", 6, 2, 4, 0)


def test_the_share_of_bad_rows_is_one_of_all_days(tmp_path):
    """Two of three rows were bad on the first day, one of two on the second: three of five."""
    write_day(tmp_path / "data", 1, FIRST | {"saves": [("y", "b", day(1)), ("y", None, None), ("y", "", None)]})
    first = ingest(tmp_path / "data", tmp_path / "first")
    write_day(tmp_path / "data", 2, {"saves": [("y", "d", day(1)), ("y", "nobody", day(1))]})
    with pytest.raises(DatasetError, match=r"saves: 3 of 5 rows \(60.0 %\).*'unknown pin_id' \(1 rows"):
        ingest(tmp_path / "data", tmp_path / "second", first, max_bad_share=0.59)


CONFIG = {"max_id_length": 128}


def identity(**files: str) -> dict:
    tables = {"pins": {"p/1": "p1"}, "saves": files}
    return {
        "format": 2,
        "tables": tables,
        "picture_files": "",
        "as_of": "2024-06-02T00:00:00+00:00",
        "future_rows": 0,
        "base": "",
    }


def manifest(key: str, found: dict, config: dict | None = None, **facts) -> Manifest:
    return Manifest("ingest", key, 1, {"data": config or CONFIG}, {}, found, "", facts={"saves_later": 0, **facts})


def test_the_largest_part_of_the_files_is_built_on():
    """One file, two files, and a file that the data set does not have."""
    catalogs = [
        manifest("one", identity(a="1")),
        manifest("two", identity(a="1", b="2")),
        manifest("changed", identity(a="1", b="2", c="0")),
    ]
    assert base_key(catalogs, CONFIG, identity(a="1", b="2", c="3")) == "two"
    assert base_key(catalogs[:1], CONFIG, identity(a="1", b="2", c="3")) == "one"
    assert base_key([], CONFIG, identity(a="1")) == ""


def test_the_same_request_finds_what_it_found_before():
    """A catalog of the same files says on what it was built, even where a larger part is known by now."""
    same = identity(a="1", b="2", c="3")
    catalogs = [
        manifest("two", identity(a="1", b="2")),
        manifest("first", same | {"base": "one"}),
        manifest("full", same),
    ]
    assert base_key(catalogs, CONFIG, same) == "one"
    assert base_key([catalogs[0], catalogs[2]], CONFIG, same) == ""


OLD = identity(a="1")


@pytest.mark.parametrize(
    "unfit",
    [
        manifest("k", OLD | {"format": 1}),
        manifest("k", OLD | {"picture_files": "some"}),
        manifest("k", OLD | {"future_rows": 1}),
        manifest("k", OLD | {"as_of": "2024-06-02T00:00:00.000001+00:00"}),
        manifest("k", OLD | {"tables": {"pins": {"p/1": "changed"}, "saves": {"a": "1"}}}),
        manifest("k", OLD | {"tables": {**OLD["tables"], "engagements": {"e": "1"}}}),
        manifest("k", OLD, config={"max_id_length": 64}),
        manifest("k", OLD, saves_later=1),
    ],
)
def test_a_catalog_that_does_not_fit_is_not_built_on(unfit):
    """Older code, pictures beside tables, rows left out, newer rows than are asked for, other files or settings."""
    assert base_key([manifest("k", OLD)], CONFIG, identity(a="1", b="2")) == "k"
    assert base_key([unfit], CONFIG, identity(a="1", b="2")) == ""


def test_pictures_beside_the_tables_are_not_built_on():
    """Nor may the data set have any now: whether old ones changed is not known file by file."""
    assert base_key([manifest("k", OLD)], CONFIG, identity(a="1", b="2") | {"picture_files": "some"}) == ""

"""The stage `ingest`, run by the runner: one artifact per data set and point in time."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError, PinSageError
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from tasks.running.runner import run_stage

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
KNOWN = {
    "ml-latest-small-posters": (9_742, 610, 100_836, 9_520),
    "mtg-duel-commander": (10_760, 17_878, 1_619_994, 0),
    "gowalla": (40_981, 29_858, 1_027_370, 0),
}


@pytest.fixture
def data_set(tmp_path) -> Path:
    """Three pins, one board, three saves on three days, and one save of nobody."""
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.table({"pin_id": ["a", "b", "c"], "image": [b"1", None, b"3"]}), folder / "pins.parquet")
    pq.write_table(pa.table({"board_id": ["x"]}), folder / "boards.parquet")
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3, 1)]
    saves = pa.table({"board_id": ["x"] * 4, "pin_id": ["a", "b", "c", "nobody"], "saved_at": days})
    pq.write_table(saves, folder / "saves.parquet")
    return folder


def ingest(home: Path, run_id: str, data_set: Path, **data):
    overrides = {f"data.{name}": value for name, value in data.items()}
    chosen = {"data.dataset": str(data_set), "data.max_bad_share": 0.5, **overrides}
    run = open_store(home).runs.open_or_start(run_id, load_settings(overrides=chosen))
    return run_stage("ingest", run, home)


def test_the_facts_count_every_row(tmp_path, data_set):
    """In = kept + quarantined + later, for every table and for the pictures."""
    facts = ingest(tmp_path, "r1", data_set, as_of="2024-01-02").facts
    assert facts == {
        "as_of": "2024-01-02T00:00:00+00:00",
        "pins": 3, "pins_in": 3, "pins_quarantined": 0, "pins_later": 0,
        "pictures": 2, "pictures_in": 2, "pictures_quarantined": 0, "pictures_later": 0,
        "boards": 1, "boards_in": 1, "boards_quarantined": 0, "boards_later": 0,
        "saves": 2, "saves_in": 4, "saves_quarantined": 1, "saves_later": 1,
    }  # fmt: skip


def test_a_second_day_over_unchanged_data_reuses_the_catalog(tmp_path, data_set):
    """as_of is clamped to the newest save; an earlier as_of is another catalog."""
    first = ingest(tmp_path, "r1", data_set, as_of="2024-02-01")
    second = ingest(tmp_path, "r2", data_set, as_of="2024-02-02")
    third = ingest(tmp_path, "r3", data_set, as_of="2024-01-02")
    assert (first.reused, second.reused, third.reused) == (False, True, False)
    assert first.key == second.key != third.key


def test_the_folder_is_published_with_files_of_the_contract_only(tmp_path, data_set):
    """No bucket or other intermediate file is left in the artifact."""
    result = ingest(tmp_path, "r1", data_set)
    folder = tmp_path / "artifacts" / "ingest" / result.key
    assert sorted(path.name for path in folder.iterdir()) == [
        "boards.parquet", "manifest.json", "pictures.parquet", "pins.parquet", "quarantine.parquet",
        "saves.parquet",
    ]  # fmt: skip


def test_a_refused_data_set_publishes_nothing(tmp_path, data_set):
    """One of four saves is bad, none may be."""
    with pytest.raises(DatasetError, match="saves: 1 of 4 rows"):
        ingest(tmp_path, "r1", data_set, max_bad_share=0.0)
    assert list((tmp_path / "artifacts" / "ingest").iterdir()) == []


def test_a_disk_that_fills_mid_way_leaves_nothing_published(tmp_path, data_set, monkeypatch):
    """The second table cannot be written: one clear error, no artifact, no draft."""
    written = []

    def full_disk(path, *_):
        written.append(path)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return 3

    monkeypatch.setattr("pinsage.ingest.nodes.write_tables", full_disk)
    with pytest.raises(PinSageError, match=r"disk of .* is full .* nothing was published"):
        ingest(tmp_path, "r1", data_set)
    assert len(written) == 2
    assert list((tmp_path / "artifacts" / "ingest").iterdir()) == []


@pytest.mark.shared_data
@pytest.mark.parametrize("name", KNOWN)
def test_real_data_sets_are_ingested_without_a_bad_row(tmp_path, name):
    """Pins, boards, saves and pictures are as many as their owners say."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not here: the real data sets are not part of the repository")
    facts = ingest(tmp_path, "r1", SHARED / name, max_bad_share=0.0).facts
    assert tuple(facts[table] for table in ("pins", "boards", "saves", "pictures")) == KNOWN[name]
    result = open_store(tmp_path).runs.open("r1").result("ingest")
    catalog = Catalog.open(tmp_path / "artifacts" / "ingest" / result.key)
    assert sum(len(pins) for pins, _ in catalog.pictures()) == KNOWN[name][3]

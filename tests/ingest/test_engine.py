"""The database engine keeps to its memory, tells what stops it in a sentence, and leaves nothing behind."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, write

from pinsage.errors import DatasetError, InputError
from pinsage.ingest.engine import Engine
from pinsage.ingest.ingest import ingest_dataset
from pinsage.settings.schema import DataSettings


def test_what_does_not_fit_is_spilled_and_changes_nothing(tmp_path):
    """200,000 saves within 100 MB and within 4 GB: the same bytes, and no file is left of the spill."""
    rng = np.random.default_rng(0)
    ids = [f"{number:05d}" for number in range(20_000)]
    boards, pins = (pa.array(ids).take(pa.array(rng.integers(0, 20_000, 200_000))) for _ in range(2))
    folder = write(tmp_path / "data", pins=pa.table({"pin_id": ids}), boards=pa.table({"board_id": ids}))
    pq.write_table(pa.table({"board_id": boards, "pin_id": pins}), folder / "saves.parquet")
    found = []
    for memory_gb in (0.1, 4.0):
        out = tmp_path / f"out-{memory_gb}"
        out.mkdir()
        ingest_dataset(DataSettings(dataset=str(folder), memory_gb=memory_gb), out, now=NOW)
        found.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert found[0] == found[1]
    assert all(name.endswith(".parquet") for name in found[0])


WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
import psutil
from pinsage.ingest.engine import Engine
room = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    Engine(Path(sys.argv[1]), 4.0, max_id_length=128)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_memory_that_the_machine_does_not_give_is_no_fault_of_the_limit(tmp_path):
    """The engine takes its first block as it starts."""
    command = [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.startswith("MemoryShortError: Memory ran out below data.memory_gb = 4 GB")


def test_rows_past_the_limit_lie_on_disk(tmp_path):
    """800 MB of random numbers within 100 MB; closing removes them."""
    with Engine(tmp_path / "spill", 0.1, max_id_length=128) as engine:
        engine.run("CREATE TABLE large AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range(50_000_000)")
        assert sum(path.stat().st_size for path in (tmp_path / "spill").iterdir()) > 300_000_000
        assert engine.rows("SELECT count(*) FROM large") == [(50_000_000,)]
    assert not (tmp_path / "spill").exists()


def test_memory_that_is_too_small_is_told(tmp_path):
    """What cannot be spilled: one value as large as the limit."""
    with (
        Engine(tmp_path / "spill", 0.1, max_id_length=128) as engine,
        pytest.raises(InputError, match=r"more than data\.memory_gb = 0\.1 GB .*Raise it\."),
    ):
        engine.rows("SELECT length(string_agg(repeat('x', 1000), '')) FROM range(500_000)")


def test_what_making_a_batch_raises_is_raised_as_it_is(tmp_path):
    """The engine would tell it as an error of its own, with a traceback in its text."""
    schema = pa.schema([("row", pa.int64())])

    def batches():
        yield pa.record_batch([pa.array([1])], schema=schema)
        raise DatasetError("saves.parquet is damaged. Export it again.")

    with Engine(tmp_path / "spill", 0.1, max_id_length=128) as engine:
        sentence = r"^saves\.parquet is damaged\. Export it again\.$"
        with pytest.raises(DatasetError, match=sentence), engine.source(schema, batches()):
            engine.run("CREATE TABLE found AS FROM source")
        assert engine.rows("SELECT count(*) FROM duckdb_tables()") == [(0,)]

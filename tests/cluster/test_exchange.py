"""Files reach workers and rows come back the same through shared folders and through a store."""

import fcntl
import os
import time
from pathlib import Path

import numpy as np
import pytest

from pinsage.cluster import staged_files
from pinsage.cluster.between import exchange_through
from pinsage.errors import ClusterError, DiskFullError, PinSageError, SettingsError, StoreDamagedError
from pinsage.store.rows import allocate

ROWS = np.arange(40, dtype=np.int32).reshape(10, 4)


@pytest.fixture(autouse=True)
def local(tmp_path, monkeypatch):
    """A folder of "the worker's host", which is this process."""
    folder = tmp_path / "local"
    folder.mkdir()
    monkeypatch.setattr(staged_files, "local_folder", lambda: folder)
    return folder


@pytest.fixture
def inputs(tmp_path):
    """A folder with two files to stage."""
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"a" * 1000)
    (folder / "b.npy").write_bytes(b"b" * 10)
    return folder


@pytest.fixture
def out(tmp_path):
    """A folder with an array of ten rows, to be filled."""
    folder = tmp_path / "out"
    folder.mkdir()
    allocate(folder / "x.npy", np.int32, (10, 4))
    return folder


def store_of(tmp_path):
    return f"file://{tmp_path}/store"


def stored(tmp_path, kind):
    return sorted(path for path in (tmp_path / "store" / kind).rglob("*") if path.is_file())


def handed_in(rows, first, last):
    with rows.part(["x"], first, last) as writer:
        writer.append({"x": ROWS[first:last]})
    return writer.finish()


@pytest.mark.parametrize("through", ["folders", "store"])
def test_files_go_and_rows_come(tmp_path, inputs, out, through):
    """Two parts, the later one first and twice, as after a death."""
    with exchange_through(store_of(tmp_path) if through == "store" else "", tmp_path / "leases") as exchange:
        folder = exchange.stage(inputs).folder()
        assert (folder / "a.npy").read_bytes() == b"a" * 1000
        assert (folder == inputs) == (through == "folders")
        rows = exchange.rows(out)
        written = [handed_in(rows, *part) for part in ((4, 10), (4, 10), (0, 4))]
        for part in written[1:]:
            exchange.collect(out, part)
    np.testing.assert_array_equal(np.load(out / "x.npy"), ROWS)
    assert stored(tmp_path, "parts") == []


def test_what_the_store_has_is_not_sent_again_and_not_fetched_again(tmp_path, inputs):
    """By a later job too; a copy on the host outlives its worker."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        first = exchange.stage(inputs).folder()
    times = {path: path.stat().st_mtime_ns for path in (*stored(tmp_path, "inputs"), *first.iterdir())}
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        assert exchange.stage(inputs).folder() == first
    assert len(times) == 4
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_staged_file_that_rots_in_the_store_is_refused_and_sent_again(tmp_path, inputs):
    """The worker compares with what the parent said; the next run puts a good one there."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        staged = exchange.stage(inputs)
        [path] = [path for path in stored(tmp_path, "inputs") if path.stat().st_size == 1000]
        path.write_bytes(b"a" * 999 + b"b")
        with pytest.raises(StoreDamagedError, match=r"inputs/\w+ is not the a\.npy that was put there"):
            staged.folder()
        assert (exchange.stage(inputs).folder() / "a.npy").read_bytes() == b"a" * 1000


@pytest.mark.parametrize("through", ["folders", "store"])
def test_rows_that_changed_on_the_way_are_refused(tmp_path, out, through):
    """A bit flips after the worker's last look."""
    with exchange_through(store_of(tmp_path) if through == "store" else "", tmp_path / "leases") as exchange:
        written = handed_in(exchange.rows(out), 0, 10)
        path = out / "x.npy" if through == "folders" else next(p for p in stored(tmp_path, "parts") if p.name == "x-0")
        content = bytearray(path.read_bytes())
        content[-10] ^= 1
        path.write_bytes(content)
        with pytest.raises(PinSageError, match=r"[Rr]ows 0 to 10 .*their\s+worker wrote"):
            exchange.collect(out, written)


def test_rows_that_come_after_the_job_are_thrown_away(tmp_path, out):
    """A worker that was given up finishes its part when everything has been cleared away."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        rows = exchange.rows(out)
    with pytest.raises(ClusterError, match="has ended"):
        handed_in(rows, 0, 4)
    assert stored(tmp_path, "parts") == []


def test_half_a_part_leaves_nothing(tmp_path, out):
    """An error in the middle of the rows: no file under the part's name, none beside it."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        with pytest.raises(ZeroDivisionError), exchange.rows(out).part(["x"], 0, 4) as writer:
            writer.append({"x": ROWS[:2]})
            raise ZeroDivisionError
        assert [path.name for path in stored(tmp_path, "parts")] == ["open"]


def test_the_next_run_clears_away_what_a_killed_one_left(tmp_path, out):
    """Its lease is there, but nobody holds it; that of a living run is respected."""
    for job in ("dead", "alive"):
        (tmp_path / "store/parts" / job).mkdir(parents=True)
        (tmp_path / "store/parts" / job / "x-0").write_bytes(b"rows")
        (tmp_path / "leases").mkdir(exist_ok=True)
        (tmp_path / "leases" / job).write_text(store_of(tmp_path))
    with (tmp_path / "leases/alive").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with exchange_through(store_of(tmp_path), tmp_path / "leases"):
            pass
    assert [path.parent.name for path in stored(tmp_path, "parts")] == ["alive"]
    assert [path.name for path in (tmp_path / "leases").iterdir()] == ["alive"]


def test_files_that_are_unstaged_leave_the_store(tmp_path, inputs):
    """The arrays between two passes."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        exchange.unstage(exchange.stage(inputs))
    assert stored(tmp_path, "inputs") == []


def test_copies_that_nobody_asked_for_make_room(tmp_path, inputs, local):
    """When other files are fetched, not before."""
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        old = exchange.stage(inputs).folder()
        os.utime(old, (0, time.time() - 7200))
        (inputs / "c.npy").write_bytes(b"c")
        new = exchange.stage(inputs).folder()
    assert [path for path in (local / "pinsage-loans").iterdir() if path.is_dir()] == [new]


def test_a_store_that_is_no_url_is_an_error(tmp_path):
    """The sentence names the setting."""
    with (
        pytest.raises(SettingsError, match=r"cluster\.store 'sky://here' cannot be opened"),
        exchange_through("sky://here", tmp_path / "leases"),
    ):
        pytest.fail("opened the sky")


def test_a_store_that_cannot_be_written_is_an_error(tmp_path):
    """Its folder is a file."""
    (tmp_path / "store").write_text("in the way")
    with (
        pytest.raises(ClusterError, match=r"store/parts/\w+/open cannot be read or written"),
        exchange_through(store_of(tmp_path), tmp_path / "leases"),
    ):
        pytest.fail("wrote below a file")


def test_rows_for_a_full_disk_are_an_error_that_names_the_folder(tmp_path, monkeypatch):
    """The array is on a device without room."""
    allocate(tmp_path / "x.npy", np.int32, (10, 4))
    opened = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the part closes it
    monkeypatch.setattr("pinsage.store.rows.RowFile.open_at", lambda *rows: opened)
    with (
        exchange_through("", tmp_path) as exchange,
        pytest.raises(DiskFullError, match=f"The disk of {tmp_path} on .* is full"),
    ):
        handed_in(exchange.rows(Path(tmp_path)), 0, 4)


def test_a_folder_is_staged_without_those_below_it(tmp_path, inputs):
    """The graph with sessions does not travel with that of boards alone."""
    (inputs / "below").mkdir()
    (inputs / "below" / "c.npy").write_bytes(b"c")
    with exchange_through(store_of(tmp_path), tmp_path / "leases") as exchange:
        assert sorted(path.name for path in exchange.stage(inputs).folder().iterdir()) == ["a.npy", "b.npy"]

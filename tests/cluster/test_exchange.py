"""Files reach workers and rows come back the same through shared folders and through a store on S3."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from pinsage.cluster import through_store
from pinsage.cluster.through_store import open_exchange
from pinsage.errors import ClusterError, DiskFullError, PinSageError, SettingsError, StoreDamagedError
from pinsage.settings.schema import ClusterSettings
from pinsage.store.manifest import Manifest
from pinsage.store.rows import allocate

ROWS = np.arange(40, dtype=np.int32).reshape(10, 4)
ELSEWHERE = ClusterSettings(address="tcp://elsewhere:8786")


@pytest.fixture(autouse=True)
def local(tmp_path, monkeypatch):
    """A folder of "the worker's host", which is this process."""
    folder = tmp_path / "local"
    monkeypatch.setattr(through_store, "local_folder", lambda: folder)
    through_store._store_of_worker.cache_clear()
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


def stored(store):
    """The names of what jobs have in the store, without the job's own name."""
    return [name.partition("/")[2] for name in store.bucket("scratch").names()]


def hand_in(rows, first, last):
    with rows.part(["x"], first, last) as writer:
        writer.append({"x": ROWS[first:last]})
    return writer.finish()


def test_files_go_and_rows_come(store, inputs, out):
    """Two parts, the later one first and twice, as after a death."""
    with open_exchange(store, ELSEWHERE) as exchange:
        folder = exchange.stage(inputs).folder()
        assert (folder / "a.npy").read_bytes() == b"a" * 1000
        assert (folder == inputs) != store.is_remote
        rows = exchange.rows(out)
        written = [hand_in(rows, *part) for part in ((4, 10), (4, 10), (0, 4))]
        for part in written[1:]:
            exchange.collect(out, part)
    np.testing.assert_array_equal(np.load(out / "x.npy"), ROWS)
    assert [path.name for path in out.iterdir()] == ["x.npy"]
    assert stored(store) == []


def test_workers_of_this_machine_need_no_store(store_on_s3, inputs):
    """They see the folders of the stage that started them."""
    with open_exchange(store_on_s3, ClusterSettings()) as exchange:
        assert exchange.stage(inputs).folder() == inputs


def test_an_artifact_is_opened_where_it_was_published(store_on_s3, inputs, local):
    """Nothing is sent; the worker's host fetches it once, with the folder in it that is asked for."""
    with store_on_s3.artifacts.publish(Manifest("connect", "k1", 1, {}, {}, {}, "test")) as draft:
        shutil.copytree(inputs, draft.folder / "walked")
    published = store_on_s3.artifacts.open("connect", "k1").folder
    with open_exchange(store_on_s3, ELSEWHERE) as exchange:
        whole, below = exchange.stage(published), exchange.stage(published / "walked")
        assert stored(store_on_s3) == ["open"]
        assert (below.folder() / "a.npy").read_bytes() == b"a" * 1000
        assert below.folder() == whole.folder() / "walked"
        assert below.folder().is_relative_to(local)
        exchange.unstage(whole)
    assert store_on_s3.artifacts.has("connect", "k1")


def test_a_staged_file_that_rots_in_the_store_is_refused(store_on_s3, inputs):
    """The worker compares with what the parent said."""
    with open_exchange(store_on_s3, ELSEWHERE) as exchange:
        staged = exchange.stage(inputs)
        staged.scratch.replace("files/staged/a.npy", b"a" * 999 + b"b")
        with pytest.raises(StoreDamagedError, match=r"files/staged does not hold what was put there"):
            staged.folder()


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_rows_that_changed_on_the_way_are_refused(store, out, damage):
    """After the worker's last look."""
    with open_exchange(store, ELSEWHERE) as exchange:
        rows = exchange.rows(out)
        written = hand_in(rows, 0, 10)
        content = bytearray(rows.scratch.read("rows/x-0") if store.is_remote else (out / "x.npy").read_bytes())
        content[-10] ^= 1
        damaged = bytes(content[:-4] if damage == "cut" else content)
        if not store.is_remote:
            (out / "x.npy").write_bytes(damaged)
        elif damage == "delete":
            rows.scratch.remove("rows/x-0")
        else:
            rows.scratch.replace("rows/x-0", damaged)
        with pytest.raises(PinSageError, match=r"[Rr]ows 0 to 10 .*their\s+worker wrote"):
            exchange.collect(out, written)


def test_rows_that_come_after_the_job_are_thrown_away(store_on_s3, out):
    """A worker that was given up finishes its part when everything has been cleared away."""
    with open_exchange(store_on_s3, ELSEWHERE) as exchange:
        rows = exchange.rows(out)
    with pytest.raises(ClusterError, match="has ended"):
        hand_in(rows, 0, 4)
    assert stored(store_on_s3) == []


def test_half_a_part_leaves_nothing(store_on_s3, out, local):
    """An error in the middle of the rows: no file in the store, none on the worker."""
    with open_exchange(store_on_s3, ELSEWHERE) as exchange:
        with pytest.raises(ZeroDivisionError), exchange.rows(out).part(["x"], 0, 4) as writer:
            writer.append({"x": ROWS[:2]})
            raise ZeroDivisionError
        assert stored(store_on_s3) == ["open"]
    assert list(local.iterdir()) == []


def test_the_next_job_clears_away_what_a_killed_one_left(store_on_s3):
    """Nobody has renewed it for long; what lives is respected."""
    jobs = store_on_s3.bucket("scratch")
    for job, age_s in (("dead", 2 * 3600), ("alive", 100)):
        jobs.replace(f"{job}/open", str(time.time() - age_s).encode())
        jobs.replace(f"{job}/rows/x-0", b"rows")
    with open_exchange(store_on_s3, ELSEWHERE):
        pass
    assert jobs.names() == ["alive/open", "alive/rows/x-0"]


def test_a_job_that_lasts_is_renewed(store_on_s3, monkeypatch):
    """So that no other takes it for abandoned."""
    monkeypatch.setattr(through_store, "_RENEW_S", 0.05)
    with open_exchange(store_on_s3, ELSEWHERE):
        jobs = store_on_s3.bucket("scratch")
        [name], began = jobs.names(), time.monotonic()
        first = jobs.read(name)
        while jobs.read(name) == first:
            assert time.monotonic() - began < 60


def test_files_that_are_unstaged_leave_the_store(store_on_s3, inputs):
    """The arrays between two passes."""
    with open_exchange(store_on_s3, ELSEWHERE) as exchange:
        staged = exchange.stage(inputs)
        assert len(stored(store_on_s3)) == 3
        exchange.unstage(staged)
        assert stored(store_on_s3) == ["open"]


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path, store):
    """Files to read and rows to write; the sentence names the folder and what to do."""
    with open_exchange(store, ClusterSettings()) as exchange:
        with pytest.raises(SettingsError, match=r"does not see the folder .*elsewhere\. .* PINSAGE_STORE"):
            exchange.stage(tmp_path / "elsewhere").folder()
        with pytest.raises(SettingsError, match=r"does not see the folder .*elsewhere\."):
            hand_in(exchange.rows(tmp_path / "elsewhere"), 0, 4)


def test_rows_for_a_full_disk_are_an_error_that_names_the_folder(tmp_path, store, monkeypatch):
    """The array is on a device without room."""
    allocate(tmp_path / "x.npy", np.int32, (10, 4))
    opened = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the part closes it
    monkeypatch.setattr("pinsage.store.rows.RowFile.open_at", lambda *rows: opened)
    with (
        open_exchange(store, ClusterSettings()) as exchange,
        pytest.raises(DiskFullError, match=f"The disk of {tmp_path} on .* is full"),
    ):
        hand_in(exchange.rows(Path(tmp_path)), 0, 4)

"""A file is read for its digest once, and again when it may have changed."""

import os
import time

import pyarrow.fs as pafs
import pytest
from data_set_world import NOW, write

from pinsage.ingest.source import digests
from pinsage.ingest.source.digests import FileDigests
from pinsage.ingest.source.fingerprint import identity_at
from pinsage.ingest.source.table import SourceFile
from pinsage.settings.loading import load_settings

LONG_AGO = 1_600_000_000_000_000_000


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the files that are read."""
    read, original = [], digests._file_sha256

    def watched(file):
        read.append(file.name)
        return original(file)

    monkeypatch.setattr(digests, "_file_sha256", watched)
    return read


def file_of(path, *, modified_ns: int = LONG_AGO) -> SourceFile:
    os.utime(path, ns=(modified_ns, modified_ns))
    info = path.stat()
    return SourceFile(path.name, str(path), info.st_size, info.st_mtime_ns, pafs.LocalFileSystem())


def asked(memory, file: SourceFile) -> str:
    """The digest as one run of the pipeline would get it."""
    found = FileDigests(memory)
    digest = found.sha256(file)
    found.remember()
    return digest


def test_an_unchanged_file_is_read_once(tmp_path, reads):
    """Over any number of runs; the answer stays."""
    (tmp_path / "a").write_bytes(b"a")
    assert len({asked(tmp_path / "m" / "d.json", file_of(tmp_path / "a")) for _ in range(3)}) == 1
    assert reads == ["a"]


def test_a_changed_file_is_read_again(tmp_path, reads):
    """By size, or by time of change."""
    path = tmp_path / "a"
    path.write_bytes(b"a")
    found = [asked(tmp_path / "d.json", file_of(path))]
    path.write_bytes(b"b")
    found.append(asked(tmp_path / "d.json", file_of(path, modified_ns=LONG_AGO + 1)))
    path.write_bytes(b"bc")
    found.append(asked(tmp_path / "d.json", file_of(path, modified_ns=LONG_AGO + 1)))
    assert len(set(found)) == len(reads) == 3


@pytest.mark.parametrize("age_ns", [0, -(10**12)])
def test_a_file_changed_just_now_is_not_trusted(tmp_path, reads, age_ns):
    """It may change again within the same tick of the clock; a time in the future is no better."""
    (tmp_path / "a").write_bytes(b"a")
    for _ in range(2):
        asked(tmp_path / "d.json", file_of(tmp_path / "a", modified_ns=time.time_ns() - age_ns))
    assert reads == ["a", "a"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a|1|2": 5}', '{"a|1|2": "abc"}'])
def test_a_damaged_memory_costs_time_only(tmp_path, reads, content):
    """It is written anew."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "d.json").write_text(content)
    for _ in range(2):
        asked(tmp_path / "d.json", file_of(tmp_path / "a"))
    assert reads == ["a"]


def test_another_digest_by_damage_is_not_taken(tmp_path, reads):
    """It would give the data set another name."""
    (tmp_path / "a").write_bytes(b"a")
    os.utime(tmp_path / "a", ns=(LONG_AGO, LONG_AGO))
    digest = asked(tmp_path / "d.json", file_of(tmp_path / "a"))
    memory = (tmp_path / "d.json").read_text()
    (tmp_path / "d.json").write_text(memory.replace(digest, digest[::-1]))
    assert asked(tmp_path / "d.json", file_of(tmp_path / "a")) == digest
    assert reads == ["a", "a"]


def test_what_is_gone_is_forgotten(tmp_path):
    """The memory is as large as the data set."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
        asked(tmp_path / "d.json", file_of(tmp_path / name))
    assert "/b|" in (tmp_path / "d.json").read_text()
    assert "/a|" not in (tmp_path / "d.json").read_text()


def test_the_identity_is_the_same_from_memory(tmp_path, reads):
    """Three tables are read the first time, none the second."""
    folder = write(tmp_path / "data")
    for path in folder.iterdir():
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    settings, found = load_settings(overrides={"data.dataset": str(folder)}), []
    for _ in range(2):
        memory = FileDigests.of_data_set(str(folder), tmp_path)
        found.append(identity_at(settings, NOW, memory))
        memory.remember()
    assert found[0] == found[1] == identity_at(settings, NOW)
    assert len(reads) == 3 + 3

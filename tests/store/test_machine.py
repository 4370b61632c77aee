"""Faults of the machine are told from damage, and each is one sentence with its own advice."""

import errno
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

from pinsage.errors import ArtifactDamagedError, DiskFullError, MachineError, MemoryShortError
from pinsage.store.arrays import create_array, open_array
from pinsage.store.machine import is_machine_fault, machine_error
from pinsage.store.manifest import Manifest


@contextmanager
def memory_limit(more_bytes):
    """So much more address space for this process, within the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + more_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_an_array_that_memory_has_no_room_for_is_not_damaged(tmp_path):
    """The file is whole: deleting it would be bad advice."""
    path = tmp_path / "a.npy"
    with path.open("wb") as file:  # a hole of 8 GB
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**9,)})
        file.truncate(file.tell() + 8 * 10**9)
    with memory_limit(1 << 28), pytest.raises((OSError, MemoryError)) as caught:
        open_array(path, np.float64, (None,))
    assert isinstance(machine_error(caught.value), MemoryShortError)


TAKES_ALL_MEMORY = """
import resource
import psutil
from pinsage.store.machine import keep_memory_reserve, machine_error
if {keeps}:
    keep_memory_reserve()
limit = psutil.Process().memory_info().vms + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
taken = []
for size in (1 << 20, 1 << 12):
    try:
        while True:
            taken.append(bytearray(size))
    except MemoryError as error:
        caught = error
sentence = machine_error(caught)
room = bytearray(4 << 20)
print(sentence)
"""


@pytest.mark.parametrize("keeps", [True, False])
def test_a_process_whose_memory_ran_out_has_room_to_say_so(keeps):
    """Where it kept the room before."""
    code = TAKES_ALL_MEMORY.format(keeps=keeps)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("Memory ran out (MemoryError).") is keeps, done


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), MemoryShortError, r"Memory ran out \(MemoryError\)\. Give the process more"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryShortError, "Memory ran out"),
        (pa.ArrowMemoryError("malloc of size 10 failed"), MemoryShortError, "malloc of size 10 failed"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), MemoryShortError, "can't allocate"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/a"), DiskFullError, "A disk is full .*/x/a"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/a"), MachineError, "Permission denied: '/x/a'"),
        (OSError(errno.EMFILE, "Too many open files"), MachineError, "Too many open files"),
    ],
)
def test_a_fault_of_the_machine_is_one_sentence_and_may_pass(error, kind, words):
    """The advice is that of its kind."""
    named = machine_error(error)
    assert type(named) is kind
    assert named.retry_can_help
    with pytest.raises(kind, match=words):
        raise named
    assert is_machine_fault(error)


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), OSError("no number"), KeyError("memory")])
def test_other_errors_are_no_fault_of_the_machine(error):
    """They keep their traceback."""
    assert machine_error(error) is None
    assert not is_machine_fault(error)


def test_a_manifest_that_the_system_does_not_open_is_not_damaged(tmp_path):
    """As with permissions: something is to be corrected, and nothing to be deleted."""
    (tmp_path / "manifest.json").symlink_to("manifest.json")
    with pytest.raises(OSError, match="symbolic links"):
        Manifest.read(tmp_path)


def test_a_file_that_is_not_there_is_damage(tmp_path):
    """Of an artifact that was published whole."""
    with pytest.raises(ArtifactDamagedError):
        open_array(tmp_path / "a.npy", np.float64, (None,))
    assert not is_machine_fault(FileNotFoundError(errno.ENOENT, "No such file"))


def test_a_new_array_has_its_room_on_the_disk(tmp_path):
    """Zeros, as a file without holes."""
    array = create_array(tmp_path / "a.npy", np.float32, (1000, 7))
    array[999] = 1
    assert np.load(tmp_path / "a.npy").sum() == 7
    assert Path(tmp_path / "a.npy").stat().st_blocks * 512 >= 28_000

"""One holder at a time, and none that outlives its process."""

import subprocess
import sys

from pinsage.store.lock import hold_lock, try_lock


def test_a_lock_that_is_held_is_not_free(tmp_path):
    """Within a process as between two: each block opens the file anew."""
    path = tmp_path / "folder" / ".lock"
    with hold_lock(path), try_lock(path) as is_ours:
        assert not is_ours
    with try_lock(path) as is_ours:
        assert is_ours


def test_a_lock_that_is_not_there_is_not_free(tmp_path):
    """Its owner makes it or has removed it; nothing is made."""
    with try_lock(tmp_path / ".lock") as is_ours:
        assert not is_ours
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_lets_go(tmp_path):
    """The kernel does it, so nothing has to be cleaned up."""
    path = tmp_path / ".lock"
    code = f"from pathlib import Path; from pinsage.store.lock import hold_lock\nwith hold_lock(Path({str(path)!r})):\n"
    holder = subprocess.Popen([sys.executable, "-c", f"{code}  print(flush=True); input()"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    holder.stdout.readline()
    with try_lock(path) as is_ours:
        assert not is_ours
    holder.kill()
    holder.communicate()
    with try_lock(path) as is_ours:
        assert is_ours

"""Releases are swapped under the queries of two processes: nobody dies, and no answer mixes two versions.

`PINSAGE_SWAP_EVERY_S=1 python -m pytest -s tests/faults/test_release_swaps.py` measures with the default interval.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from release_world import ReleaseWorld

SWAPS = 50
EVERY_S = os.environ.get("PINSAGE_SWAP_EVERY_S", "0.1")
PATIENCE_S = 120


class Server:
    """A process that asks the current release all the time."""

    def __init__(self, home: Path) -> None:
        root = Path(__file__).parents[2]
        path = os.pathsep.join(map(str, (root, root / "tests/release", root / "tests/serving")))
        command = [sys.executable, Path(__file__).parent / "ask_releases.py", home, EVERY_S]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        self._lines: queue.Queue[dict] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def next_line(self) -> dict:
        """The next thing it says."""
        return self._lines.get(timeout=PATIENCE_S)

    def end(self) -> dict:
        """The last thing it says, after its input was closed."""
        self.process.stdin.close()
        last = self.next_line()
        assert self.process.wait(PATIENCE_S) == 0
        return last


@pytest.fixture
def world(tmp_path):
    """A store with a first release, and the parts of those to come."""
    world = ReleaseWorld(tmp_path)
    world.release(1)
    return world


def test_swaps_under_query_load(world, tmp_path):
    """Each swap publishes, points and removes the oldest; the next comes when both processes have followed."""
    parts = [world.parts(number) for number in range(2, 2 + SWAPS)]
    servers, delays = [Server(tmp_path) for _ in range(2)], []
    try:
        for server in servers:
            server.next_line()
        for one in parts:
            version = world.releases.publish(one, "test")
            world.releases.point(version)
            pointed_at = time.time()
            world.releases.prune(keep=1)
            for server in servers:
                line = server.next_line()
                assert line["serving"] == version
                delays.append(line["at"] - pointed_at)
        last = [server.end() for server in servers]
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait()
    assert [line["wrong"] for line in last] == [0, 0]
    assert all(line["answers"] > SWAPS for line in last)
    assert len(world.releases.versions()) == 2
    print(f"{SWAPS} swaps, {sum(line['answers'] for line in last)} answers, none mixed; servers followed after "  # noqa: T201
          f"{np.median(delays):.2f} s (median), {max(delays):.2f} s (most)")  # fmt: skip

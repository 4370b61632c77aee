"""Parquet files damaged at random bytes: a clear error, or rows that add up; never a dead process without a sentence.

`PINSAGE_FAULT_ROUNDS=300 python -m pytest tests/ingest/test_damaged_files.py` is the long form.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import day, good_world, ingest, saves, write

from pinsage.errors import DatasetError

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "30"))
OPTIONS = ({}, {"compression": "zstd"}, {"use_dictionary": False}, {"data_page_version": "2.0"}, {"row_group_size": 2})


def rich_world() -> dict[str, pa.Table]:
    """Every kind of column: texts, lists, pictures, times and weights."""
    pins = good_world()["pins"].append_column("annotations", pa.array([["x", "y"], None, []]))
    rows = saves([("x", "a", day(1)), ("x", "b", None), ("y", "b", day(3)), ("y", "c", day(4))])
    return {
        "pins": pins.append_column("image", pa.array([b"1" * 50, None, b"3"])),
        "saves": rows.append_column("weight", pa.array([1.0, None, 2.0, 3.0])),
    }


def spoil(content: bytes, rng: random.Random) -> bytes:
    """One to five bytes changed, every second time in the footer alone; or cut short."""
    spoiled = bytearray(content)
    length = int.from_bytes(content[-8:-4], "little") + 8
    first = len(content) - length if rng.random() < 0.5 else 0
    for _ in range(rng.randrange(1, 6)):
        spoiled[rng.randrange(first, len(content))] = rng.randrange(256)
    return bytes(spoiled if rng.random() < 0.9 else spoiled[: rng.randrange(len(spoiled))])


def outcome(folder: Path, seed: int) -> dict[str, object]:
    """The outcome for the data set after a table of it was damaged: rows that add up, or a sentence."""
    rng = random.Random(seed)
    tables = rich_world()
    name = rng.choice(sorted(tables))
    data = write(folder / f"data-{seed}", **tables)
    options = {"write_page_checksum": bool(seed % 2)} | rng.choice(OPTIONS)
    pq.write_table(tables[name], data / f"{name}.parquet", **options)
    sound = (data / f"{name}.parquet").read_bytes()
    (data / f"{name}.parquet").write_bytes(spoil(sound, rng))
    try:
        return {"rows": sum(count.kept for count in ingest(data, folder / f"out-{seed}").counts)}
    except DatasetError as error:
        return {"error": str(error)}


@pytest.mark.parametrize("first", range(0, ROUNDS, 30))
def test_no_damage_ends_the_process(tmp_path, first):
    """In a process of its own, which says of each file what became of it before it turns to the next."""
    seeds = range(first, min(first + 30, ROUNDS))
    command = [sys.executable, __file__, str(tmp_path), str(seeds.start), str(seeds.stop)]
    environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'ingest'}"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(found) == len(seeds), f"seed {seeds.start + len(found)}: {answer.returncode} {answer.stderr[-500:]}"
    for result in found:
        sentence = result.get("error", "")
        assert "rows" in result or ("pins" in sentence or "saves" in sentence)
        assert sentence.isprintable()
    assert sum("error" in result for result in found) > len(found) // 2


if __name__ == "__main__":
    for seed in range(int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(outcome(Path(sys.argv[1]), seed)), flush=True)  # noqa: T201 - read by the test

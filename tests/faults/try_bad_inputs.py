"""`python try_bad_inputs.py FOLDER FIRST LAST`: a line of JSON for each bad input, before the next one is tried.

Input number n is of kind n modulo the number of kinds, and n is the seed of all that is drawn for it.
"""

import faulthandler
import json
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bad_pictures import PATHS, PICTURES, picture, write_traps
from bad_tables import COLUMNS, FILES, NUM_PINS, ROWS, Tables, good_tables, replace_column, write_tables
from bad_texts import TEXTS

from pinsage.errors import PinSageError
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.machine import machine_error
from tasks.running.runner import run_stage

LIMIT_S = 60
SMALL = {"text.dim": 4, "text.min_count": 1, "text.epochs": 1, "data.max_bad_share": 0.999, "data.max_picture_mb": 1}
STAGES = ("ingest", "featurize_text", "featurize_visual", "pair")
Trial = Callable[[Random, Path], None]


def _spoil_tables(spoil: Callable[[Random, Tables], None], *, is_alone: bool = True) -> Trial:
    def trial(rng: Random, folder: Path) -> None:
        tables = good_tables(rng)
        if not is_alone and rng.random() < 0.5:  # faults come together, too
            ROWS[rng.choice(sorted(ROWS))](rng, tables)
        spoil(rng, tables)
        write_tables(folder / "data", tables, rng)
        _run_stages(folder, {name: table.num_rows for name, table in tables.items()})

    return trial


def _spoil_files(spoil: Callable[[Random, Path], None]) -> Trial:
    def trial(rng: Random, folder: Path) -> None:
        spoil(rng, write_tables(folder / "data", good_tables(rng), rng))
        _run_stages(folder, {})

    return trial


def _spoil_pictures(draw: Callable[[Random], bytes]) -> Trial:
    """In a column, or in files beside the tables; one picture is sound."""

    def trial(rng: Random, folder: Path) -> None:
        tables, data = good_tables(rng), folder / "data"
        pictures = [picture(rng), *(draw(rng) for _ in range(rng.randint(1, 3)))]
        pictures += [None] * (NUM_PINS - len(pictures))
        if rng.random() < 0.5:
            replace_column(tables, "pins", "image", pa.array(pictures, pa.binary()))
        else:
            data.mkdir()
            names = [f"{number}.jpg" if content is not None else None for number, content in enumerate(pictures)]
            for name, content in zip(names, pictures, strict=True):
                if name:
                    (data / name).write_bytes(content)
            replace_column(tables, "pins", "image_path", pa.array(names, pa.string()))
        write_tables(data, tables, rng)
        _run_stages(folder, {name: table.num_rows for name, table in tables.items()})

    return trial


def _spoil_paths(draw: Callable[[Random], str]) -> Trial:
    def trial(rng: Random, folder: Path) -> None:
        tables, data = good_tables(rng), folder / "data"
        data.mkdir()
        (data / "1.jpg").write_bytes(picture(rng))
        write_traps(data)
        paths = ["1.jpg", *(draw(rng) for _ in range(rng.randint(1, 5)))]
        replace_column(tables, "pins", "image_path", pa.array(paths + [None] * (NUM_PINS - len(paths)), pa.string()))
        write_tables(data, tables, rng)
        _run_stages(folder, {name: table.num_rows for name, table in tables.items()} | {"pictures": len(paths)})
        kept = pq.read_table(next((folder / "home" / "artifacts" / "ingest").glob("*/pictures.parquet")))
        # A table is a file, too; that it is no picture shows when it is decoded.
        assert kept.num_rows == 1 + paths.count("pins.parquet"), "a path led to something"

    return trial


def _run_stages(folder: Path, rows_in: dict[str, int]) -> None:
    """Take a data set through the stages that read what its owner wrote, and count what they published."""
    settings = load_settings(overrides={**SMALL, "data.dataset": str(folder / "data")})
    store = open_store(folder / "home")
    run = store.runs.open_or_start("r", settings)
    for stage in STAGES:
        result = run_stage(stage, run, folder / "home")
        made = store.artifacts.folder(stage, result.key)
        if stage == "ingest":
            _check_rows(result.facts, made, rows_in)
        if stage == "featurize_visual":
            offered = pq.read_metadata(store.artifacts.folder("ingest", run.result("ingest").key) / "pictures.parquet")
            seen = np.load(made / "has_picture.npy").sum() + pq.read_metadata(made / "quarantine.parquet").num_rows
            assert seen == offered.num_rows, f"{offered.num_rows} pictures, of which {seen} are accounted for"


def _check_rows(facts: dict, made: Path, rows_in: dict[str, int]) -> None:
    """Rows in = rows kept + rows quarantined + rows later, by the files themselves."""
    quarantined = Counter(pq.read_table(made / "quarantine.parquet").column("table").to_pylist())
    for name in ("pins", "pictures", "boards", "saves", "engagements"):
        if f"{name}_in" in facts:
            kept = pq.read_metadata(made / f"{name}.parquet").num_rows
            found = kept + quarantined[name] + facts[f"{name}_later"]
            assert facts[f"{name}_in"] == rows_in.get(name, found) == found, f"{name}: {facts} {quarantined} {kept}"


KINDS: dict[str, Trial] = {
    **{name: _spoil_tables(spoil) for name, spoil in ROWS.items()},
    **{name: _spoil_tables(spoil, is_alone=False) for name, spoil in COLUMNS.items()},
    **{name: _spoil_files(spoil) for name, spoil in FILES.items()},
    **{name: _spoil_pictures(draw) for name, draw in PICTURES.items()},
    **{name: _spoil_paths(draw) for name, draw in PATHS.items()},
    **TEXTS,
}


def outcome(number: int, folder: Path) -> dict[str, object]:
    """The outcome of one input: taken (perhaps in part), refused by a sentence, or a fault of ours."""
    kind = list(KINDS)[number % len(KINDS)]
    result: dict[str, object] = {"number": number, "kind": kind, "outcome": "taken", "said": ""}
    folder.mkdir()
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    started = time.monotonic()
    try:
        KINDS[kind](Random(number), folder)
    except Exception as error:
        named = error if isinstance(error, PinSageError) else machine_error(error)
        result |= (
            {"outcome": "refused", "said": str(named)}
            if named
            else {"outcome": "fault", "said": traceback.format_exc()}
        )
    faulthandler.cancel_dump_traceback_later()
    shutil.rmtree(folder)
    return {**result, "seconds": round(time.monotonic() - started, 2)}


def _take_good_tables(rng: Random, folder: Path) -> None:
    """Nothing is wrong with these; what the stages compile for them is no time of an input."""
    tables = good_tables(rng)
    write_tables(folder / "data", tables, rng)
    _run_stages(folder, {name: table.num_rows for name, table in tables.items()})


if __name__ == "__main__":
    _take_good_tables(Random(0), Path(sys.argv[1]) / "good")
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        sys.stdout.write(json.dumps(outcome(number, Path(sys.argv[1]) / str(number))) + "\n")
        sys.stdout.flush()
